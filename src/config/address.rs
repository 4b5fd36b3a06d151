//! Base URLs of endpoints: in one spelling, and whose they are.

use url::{Host, Url};

use crate::grade::provider::Provider;

/// A base URL that passed the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without a trailing slash.
    pub(super) base_url: String,
    /// Whose it is.
    pub(super) kind: AddressKind,
    /// Whose prices apply there, if that is known.
    pub(super) provider: Option<Provider>,
}

/// Whose an endpoint is: what decides whether a transcript and a key may go there unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressKind {
    /// This machine.
    Loopback,
    /// The provider's own, over TLS.
    Provider,
    /// Anybody's.
    Other,
}

/// The base URL of OpenAI's own endpoint.
pub(super) const OPENAI: &str = "https://api.openai.com/v1";

impl Address {
    /// Parses a base URL, with the parser that the HTTP client uses, so that both see the same host.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with `https://` or `http://`".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold credentials; use `api_key_env`".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not have a `?` or `#` part".to_owned());
        }
        let kind = match url.host() {
            Some(Host::Ipv4(ip)) if ip.is_loopback() => AddressKind::Loopback,
            Some(Host::Ipv6(ip)) if ip.is_loopback() => AddressKind::Loopback,
            Some(Host::Domain("localhost")) => AddressKind::Loopback,
            Some(Host::Domain("api.openai.com")) if url.scheme() == "https" && url.port().is_none() => {
                AddressKind::Provider
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_) | Host::Domain(_)) => AddressKind::Other,
            None => return Err("names no host".to_owned()),
        };
        // The key and the prices of a provider are meant for its own server, over TLS and on its own port.
        let host = url.host_str().filter(|_| url.scheme() == "https" && url.port().is_none());
        let provider = match kind {
            AddressKind::Loopback => Some(Provider::Rehearsal),
            AddressKind::Provider | AddressKind::Other => host.and_then(Provider::of_host),
        };
        Ok(Self { base_url: url.as_str().trim_end_matches('/').to_owned(), kind, provider })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_what_its_host_says() {
        let kind = |text: &str| Address::parse(text).map(|address| address.kind);
        assert_eq!(kind(OPENAI), Ok(AddressKind::Provider));
        assert_eq!(kind("https://API.OpenAI.com:443/v1/"), Ok(AddressKind::Provider));
        for loopback in ["http://localhost:8080/v1", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:80/v1"] {
            assert_eq!(kind(loopback), Ok(AddressKind::Loopback), "{loopback}");
        }
        for other in [
            "http://api.openai.com/v1",
            "https://api.openai.com:8443/v1",
            "https://api.openai.com.evil.example/v1",
            "https://localhost.evil.example",
            "http://10.0.0.7:8000/v1",
            "http://127.0.0.1.evil.example",
        ] {
            assert_eq!(kind(other), Ok(AddressKind::Other), "{other}");
        }
    }

    #[test]
    fn prices_follow_the_host() {
        let provider = |text: &str| Address::parse(text).unwrap().provider;
        assert_eq!(provider(OPENAI), Some(Provider::OpenAi));
        assert_eq!(provider("https://api.groq.com/openai/v1"), Some(Provider::Groq));
        assert_eq!(provider("http://127.0.0.1:8089/v1"), Some(Provider::Rehearsal));
        for nobody in
            ["https://eu.api.openai.com/v1", "http://api.openai.com/v1", "https://api.groq.com:99", "https://x.example"]
        {
            assert_eq!(provider(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn urls_that_hide_something_are_refused() {
        for wrong in
            ["", "api.openai.com", "ftp://x", "https://key@x", "https://:key@x", "https://x?key=1", "https://x#a"]
        {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_spelling() {
        assert_eq!(Address::parse("http://LOCALHOST:80/v1//").unwrap().base_url, "http://localhost/v1");
    }
}
