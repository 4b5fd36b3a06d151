//! `[endpoint.NAME]`: where requests go, with which key, at which pace and price.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::SecretString;

use crate::grade::command::CommandSettings;
use crate::grade::provider::Provider;
use crate::grade::settings::{Concurrency, EndpointSettings, KeySetting};
use crate::model::grading::{ApiKind, Structured};

use super::super::address::{Address, AddressKind, OPENAI};
use super::super::environment::is_name;
use super::super::ledger::Ledger;
use super::super::loose::Loose;
use super::super::origin::{Origin, Override};
use super::super::units;
use super::super::written::Endpoint;
use super::{Context, price, recorded};

const API_KEY: &str = "OPENAI_API_KEY";
/// Variables that hold keys by their providers' custom, whether an endpoint names them or not.
const USUAL_KEYS: [&str; 2] = [API_KEY, "ANTHROPIC_API_KEY"];
const BASE_URL: &str = "OPENAI_BASE_URL";
/// Headers of OpenAI's own API, and the variables that fill them.
const ACCOUNT_HEADERS: [(&str, &str); 2] =
    [("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")];
const APIS: [(&str, ApiKind); 4] = [
    ("chat", ApiKind::Chat),
    ("command", ApiKind::Command),
    ("recorded", ApiKind::Recorded),
    ("rehearsal", ApiKind::Rehearsal),
];
const LATER_APIS: [&str; 2] = ["responses", "anthropic"];
const STRUCTURED: [(&str, Structured); 3] =
    [("json_schema", Structured::JsonSchema), ("json_object", Structured::JsonObject), ("prompt", Structured::Prompt)];
const SET: &str = "(set)";
const NOT_SET: &str = "(not set)";

pub(super) fn check_all(
    written: BTreeMap<String, Endpoint>,
    key_variables: &[String],
    ledger: &mut Ledger<'_>,
    context: &Context<'_>,
) -> BTreeMap<String, EndpointSettings> {
    let mut checked = BTreeMap::new();
    for (name, written) in written {
        let mut settings = check(name.clone(), written, ledger, context);
        if let Some(command) = &mut settings.command {
            command.withheld = key_variables.to_vec();
        }
        checked.insert(name, settings);
    }
    checked
}

/// Environment variables that hold keys.
pub(super) fn key_variables(written: &BTreeMap<String, Endpoint>) -> Vec<String> {
    let named = written.values().filter_map(|endpoint| endpoint.api_key_env.as_deref());
    // What is no name of a variable may be a key, and is refused elsewhere.
    let variables: BTreeSet<_> = named.filter(|name| is_name(name)).chain(USUAL_KEYS).collect();
    variables.into_iter().map(str::to_owned).collect()
}

/// With `[privacy] endpoints`, every other endpoint is refused, wherever its URL comes from.
pub(super) fn check_allowed(
    endpoints: &BTreeMap<String, EndpointSettings>,
    allowed: &[String],
    ledger: &mut Ledger<'_>,
) {
    for (name, endpoint) in endpoints {
        let (place, key) = match endpoint.api {
            ApiKind::Chat => (endpoint.base_url.as_str(), "base_url"),
            // Where a program sends what it reads, only its owner knows.
            ApiKind::Command => (ApiKind::Command.as_str(), "command"),
            // Nothing is sent to a file.
            ApiKind::Rehearsal | ApiKind::Recorded => continue,
        };
        if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == place) {
            let message = format!("`{place}` is not among the endpoints that [privacy] allows");
            ledger.problem(&format!("endpoint.{name}.{key}"), message);
        }
    }
}

fn check(name: String, mut written: Endpoint, ledger: &mut Ledger<'_>, context: &Context<'_>) -> EndpointSettings {
    let at = |key: &str| format!("endpoint.{name}.{key}");
    ledger.record_written(&at("api"), written.api.as_deref().unwrap_or("chat"));
    let api = ledger.choice(&at("api"), written.api.as_deref(), &APIS, &LATER_APIS).unwrap_or(ApiKind::Chat);
    let (base_url, key, headers, provider) = match api {
        ApiKind::Chat => {
            let address = address(&name, written.base_url.take(), ledger, context);
            let key = key(&name, &written, &address, ledger, context);
            let headers = headers(&name, &written.headers, &address, ledger, context);
            (address.base_url, key, headers, address.provider)
        }
        // Where it is and who may use it does not matter, so that `api` alone switches to a rehearsal and back.
        ApiKind::Rehearsal => (String::new(), KeySetting::NoKey, BTreeMap::new(), Some(Provider::Rehearsal)),
        ApiKind::Command | ApiKind::Recorded => (String::new(), KeySetting::NoKey, BTreeMap::new(), None),
    };
    ledger.record_written(&at("structured"), written.structured.as_deref().unwrap_or("json_schema"));
    let structured = ledger.choice(&at("structured"), written.structured.as_deref(), &STRUCTURED, &[]);
    let price = price::check(&at("price"), written.price.as_ref(), (api, provider), ledger);
    let command = command(&name, written.command.take(), api, ledger, context);
    let recorded = (api == ApiKind::Recorded).then(|| recorded::check(&name, &mut written, ledger, context));
    let rehearsal = written.rehearsal.map(|file| context.folder.join(file));
    ledger.record_written(&at("rehearsal"), &rehearsal);
    let limits = context.overrides;
    let (requests, tokens) = (written.max_requests_per_minute, written.max_tokens_per_minute);
    let requests =
        per_minute(&at("max_requests_per_minute"), limits.max_requests_per_minute.as_ref(), requests, ledger);
    let tokens = per_minute(&at("max_tokens_per_minute"), limits.max_tokens_per_minute.as_ref(), tokens, ledger);
    let max_concurrency = concurrency(&at("max_concurrency"), written.max_concurrency.as_ref(), ledger, context);
    let request_timeout = ledger.or_default(&at("request_timeout"), written.request_timeout, "90s".to_owned());
    let request_timeout = ledger.ok_or(&at("request_timeout"), units::duration(&request_timeout), Duration::ZERO);
    let item_deadline = ledger.or_default(&at("item_deadline"), written.item_deadline, "15m".to_owned());
    let item_deadline = ledger.ok_or(&at("item_deadline"), units::duration(&item_deadline), request_timeout);
    ledger.require(
        &at("item_deadline"),
        item_deadline >= request_timeout,
        "must not be shorter than `request_timeout`",
    );
    EndpointSettings {
        name,
        api,
        base_url,
        key,
        headers,
        structured: structured.unwrap_or_default(),
        price,
        max_requests_per_minute: requests,
        max_tokens_per_minute: tokens,
        max_concurrency,
        request_timeout,
        item_deadline,
        rehearsal,
        command,
        recorded,
    }
}

/// The program of `api = "command"`; written for another `api`, it waits for its turn, like a `base_url` in a rehearsal.
fn command(
    name: &str,
    written: Option<Vec<String>>,
    api: ApiKind,
    ledger: &mut Ledger<'_>,
    context: &Context<'_>,
) -> Option<CommandSettings> {
    let path = format!("endpoint.{name}.command");
    let words = written.unwrap_or_default();
    ledger.record_written(&path, &words);
    if api != ApiKind::Command {
        return None;
    }
    let is_named = words.first().is_some_and(|program| !program.is_empty());
    ledger.require(&path, is_named, "must name a program, such as `[\"python3\", \"grader.py\"]`");
    if is_named {
        ledger.needs_trust.push(format!("endpoint `{name}` runs the command `{}`", words.join(" ")));
    }
    Some(CommandSettings { words, folder: context.folder.to_owned(), withheld: Vec::new() })
}

/// The base URL: the file's, else `OPENAI_BASE_URL`, else OpenAI's own.
fn address(name: &str, written: Option<String>, ledger: &mut Ledger<'_>, context: &Context<'_>) -> Address {
    let path = format!("endpoint.{name}.base_url");
    let from_file = written.is_some();
    let from_environment = context.environment.lookup(BASE_URL).filter(|(url, _)| !url.is_empty());
    let (url, is_dotenv) = match (written, from_environment) {
        (Some(url), _) => {
            ledger.record_written(&path, &url);
            (url, false)
        }
        (None, Some((url, origin))) => {
            let is_dotenv = matches!(origin, Origin::DotEnv { .. });
            ledger.record(&path, url, origin);
            (url.to_owned(), is_dotenv)
        }
        (None, None) => {
            ledger.record(&path, OPENAI, Origin::Default);
            (OPENAI.to_owned(), false)
        }
    };
    let nowhere = Address { base_url: String::new(), kind: AddressKind::Loopback, provider: None };
    let address = ledger.ok_or(&path, Address::parse(&url), nowhere);
    if address.kind == AddressKind::Other && from_file {
        ledger.needs_trust.push(format!("endpoint `{name}` sends transcripts to `{}`", address.base_url));
    }
    // Trust is for one audit file's content, which a `.env` file is no part of: a folder from somebody else must not
    // redirect the key through it.
    let is_redirected = address.kind == AddressKind::Other && is_dotenv;
    ledger.require(
        &path,
        !is_redirected,
        "from a `.env` file must be loopback or OpenAI's own; write it in the audit file",
    );
    address
}

fn key(
    name: &str,
    written: &Endpoint,
    address: &Address,
    ledger: &mut Ledger<'_>,
    context: &Context<'_>,
) -> KeySetting {
    let path = format!("endpoint.{name}.api_key_env");
    if let Some(command) = &written.api_key_command {
        let path = format!("endpoint.{name}.api_key_command");
        ledger.record_written(&path, command);
        ledger.require(&path, !command.is_empty(), "must name a program");
        ledger.require(&path, written.api_key_env.is_none(), "cannot stand beside `api_key_env`");
        ledger.needs_trust.push(format!("endpoint `{name}` runs the command `{}`", command.join(" ")));
        return KeySetting::Command(command.clone());
    }
    let variable = written.api_key_env.as_deref().unwrap_or(API_KEY);
    if variable.is_empty() {
        ledger.record_written(&path, "");
        return KeySetting::NoKey;
    }
    if !is_name(variable) {
        // Whatever stands there may be the key itself, so it is not shown.
        ledger.problem(&path, "`api_key_env` takes the name of an environment variable, never a key");
        return KeySetting::NoKey;
    }
    ledger.record_written(&path, variable);
    let shown = format!("endpoint.{name}.api_key");
    match context.environment.lookup(variable) {
        Some(("", origin)) => {
            ledger.record(&shown, NOT_SET, origin);
            KeySetting::NoKey
        }
        Some((key, origin)) => {
            ledger.record(&shown, SET, origin);
            KeySetting::Value(SecretString::from(key))
        }
        // A local server rarely wants a key: only one that was asked for is missed.
        None if written.api_key_env.is_none() && address.kind == AddressKind::Loopback => {
            ledger.record(&shown, NOT_SET, Origin::Default);
            KeySetting::NoKey
        }
        None => {
            ledger.record(&shown, NOT_SET, Origin::Default);
            KeySetting::Missing { variable: variable.to_owned() }
        }
    }
}

fn headers(
    name: &str,
    written: &BTreeMap<String, String>,
    address: &Address,
    ledger: &mut Ledger<'_>,
    context: &Context<'_>,
) -> BTreeMap<String, SecretString> {
    let mut headers = BTreeMap::new();
    for (header, value) in written {
        let path = format!("endpoint.{name}.headers.{header}");
        ledger.record_written(&path, SET);
        let is_plain = header.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let is_line = value.chars().all(|c| c == '\t' || !c.is_control());
        ledger.require(&path, is_plain && !header.is_empty() && is_line, "is not an HTTP header");
        headers.insert(header.clone(), SecretString::from(value.as_str()));
    }
    // An account's ids are OpenAI's business, or that of whoever stands in for it by the same environment.
    let is_account =
        address.kind == AddressKind::Provider || context.environment.real(BASE_URL) == Some(&address.base_url);
    for (header, variable) in ACCOUNT_HEADERS {
        let found = context.environment.lookup(variable).filter(|(value, _)| is_account && !value.is_empty());
        if let Some((value, origin)) = found {
            ledger.record(&format!("endpoint.{name}.headers.{header}"), SET, origin);
            headers.retain(|written, _| !written.eq_ignore_ascii_case(header));
            headers.insert(header.to_owned(), SecretString::from(value));
        }
    }
    headers
}

fn per_minute(path: &str, flag: Option<&Override<u32>>, written: Option<u32>, ledger: &mut Ledger<'_>) -> Option<u32> {
    let limit = ledger.flag_or(path, flag, written);
    ledger.require(path, limit != Some(0), "must be at least 1; leave it out for no limit");
    limit
}

fn concurrency(path: &str, written: Option<&Loose>, ledger: &mut Ledger<'_>, context: &Context<'_>) -> Concurrency {
    if let Some(flag) = &context.overrides.max_concurrency {
        match flag.value {
            Concurrency::Fixed(count) => ledger.record(path, count, flag.origin.clone()),
            Concurrency::Auto => ledger.record(path, "auto", flag.origin.clone()),
        }
        ledger.require(path, flag.value != Concurrency::Fixed(0), "must be at least 1");
        return flag.value;
    }
    let concurrency = match written {
        None => Some(Concurrency::Auto),
        Some(Loose::Text(text)) if text == "auto" => Some(Concurrency::Auto),
        Some(Loose::Whole(number)) => u32::try_from(*number).ok().filter(|number| *number > 0).map(Concurrency::Fixed),
        Some(Loose::Text(_) | Loose::Real(_) | Loose::Texts(_) | Loose::Numbers(_)) => None,
    };
    match concurrency {
        Some(Concurrency::Fixed(count)) => ledger.record_written(path, count),
        Some(Concurrency::Auto) | None => ledger.record_written(path, "auto"),
    }
    let wrong = || "expects `\"auto\"` or a whole number from 1".to_owned();
    ledger.ok_or(path, concurrency.ok_or_else(wrong), Concurrency::Auto)
}
