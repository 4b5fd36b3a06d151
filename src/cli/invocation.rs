//! A parsed command line that still knows which flags came from `ASSIZE_*` variables.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::clock;
use crate::config::{Environment, LoadRequest, Origin, Override, Overrides, Setting};
use crate::run::settings::CacheMode;

use super::args::{AuditFile, CacheArg, Cli, GlobalArgs, OverrideArgs};

/// What commands get beside their own arguments.
#[derive(Debug)]
pub(super) struct Invocation {
    /// Flags of every command.
    pub(super) global: GlobalArgs,
    /// The environment.
    pub(super) environment: Environment,
    /// Ids of arguments whose value is that of their variable.
    from_environment: BTreeSet<String>,
}

impl Invocation {
    /// Parses a command line.
    ///
    /// # Errors
    /// If it is wrong, or asks for help or the version, which clap treats alike.
    pub(super) fn parse(
        args: impl IntoIterator<Item = OsString>,
        environment: Environment,
    ) -> Result<(Self, super::args::Command), clap::Error> {
        let matches = Cli::command().try_get_matches_from(args)?;
        let Cli { global, command } = Cli::from_arg_matches(&matches)?;
        Ok((Self { global, environment, from_environment: ids_from_environment(&matches) }, command))
    }

    /// A request to load this audit file under these flags, now.
    pub(super) fn load_request(&self, file: &AuditFile, flags: &OverrideArgs) -> LoadRequest {
        let mut request = LoadRequest::new(&file.audit, self.environment.clone(), clock::now());
        request.workspace.clone_from(&self.global.workspace);
        request.overrides = self.overrides(flags);
        request
    }

    fn overrides(&self, flags: &OverrideArgs) -> Overrides {
        Overrides {
            date: self.flag("date", self.global.date.clone()),
            cache: self.flag("cache", flags.cache.map(CacheMode::from)),
            max_cost: self.flag("max_cost", flags.sending.max_cost),
            deadline: self.flag("deadline", flags.sending.deadline.clone()),
            max_concurrency: self.flag("max_concurrency", flags.sending.max_concurrency),
            max_requests_per_minute: self.flag("max_requests_per_minute", flags.sending.max_requests_per_minute),
            max_tokens_per_minute: self.flag("max_tokens_per_minute", flags.sending.max_tokens_per_minute),
            limit: self.flag("limit", flags.limit),
            retry_errors: flags.retry_errors,
            strict: self.flag("strict", flags.strict.then_some(true)),
        }
    }

    fn flag<T>(&self, id: &str, value: Option<T>) -> Option<Override<T>> {
        let origin = if self.from_environment.contains(id) {
            Origin::Environment { name: format!("ASSIZE_{}", id.to_ascii_uppercase()) }
        } else {
            Origin::Flag { name: format!("--{}", id.replace('_', "-")) }
        };
        value.map(|value| Override { value, origin })
    }

    /// The workspace, as `assize config` shows it.
    pub(super) fn workspace_setting(&self, root: &std::path::Path) -> Setting {
        let given = self.flag("workspace", self.global.workspace.as_ref());
        let origin = given.map_or(Origin::Default, |given| given.origin);
        Setting { key: "workspace".to_owned(), value: root.to_string_lossy().into(), origin }
    }
}

fn ids_from_environment(matches: &ArgMatches) -> BTreeSet<String> {
    let ids = matches.ids().map(clap::Id::as_str);
    let is_environment = |id: &&str| matches.value_source(id) == Some(ValueSource::EnvVariable);
    let mut found: BTreeSet<String> = ids.filter(is_environment).map(str::to_owned).collect();
    if let Some((_, below)) = matches.subcommand() {
        found.extend(ids_from_environment(below));
    }
    found
}

impl From<CacheArg> for CacheMode {
    fn from(mode: CacheArg) -> Self {
        match mode {
            CacheArg::On => Self::On,
            CacheArg::ReadOnly => Self::ReadOnly,
            CacheArg::Refresh => Self::Refresh,
        }
    }
}
