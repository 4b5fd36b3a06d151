//! A line to nowhere, for tests: it opens no connection.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attempt::Line;
use super::http::Endpoint;
use super::pace::Pacer;
use super::settings::{Concurrency, EndpointSettings, KeySetting, PriceSetting};
use super::slots::Slots;
use crate::model::grading::{ApiKind, Structured};

pub(super) fn endpoint(base_url: &str) -> EndpointSettings {
    let minute = Duration::from_mins(1);
    EndpointSettings {
        name: "main".to_owned(),
        api: ApiKind::Chat,
        base_url: base_url.to_owned(),
        key: KeySetting::NoKey,
        headers: BTreeMap::new(),
        structured: Structured::JsonSchema,
        price: PriceSetting::Free,
        max_requests_per_minute: None,
        max_tokens_per_minute: None,
        max_concurrency: Concurrency::Fixed(1),
        request_timeout: minute,
        item_deadline: minute,
        rehearsal: None,
        command: None,
        recorded: None,
    }
}

pub(super) fn line(pacer: Pacer) -> Line {
    let settings = endpoint("http://127.0.0.1:9/v1");
    let endpoint = Endpoint::new(&settings).unwrap();
    Line::new(endpoint, Slots::new(settings.max_concurrency), pacer, settings.item_deadline)
}
