//! Why there is no answer, as far as the client's errors tell.

use std::error::Error;
use std::fmt;
use std::io;

/// No answer, or only part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody knows the host's name.
    NoSuchHost,
    /// Nobody listens there.
    Refused,
    /// The other side does not speak TLS, or its certificate is not to be trusted.
    Tls,
    /// The connection was never made, for another reason.
    NotConnected,
    /// The connection was not made in time.
    ConnectTimedOut,
    /// The connection broke before a reply began.
    Broken,
    /// The connection broke in the middle of the reply.
    Cut,
    /// Nothing, or not everything, within the request timeout.
    TimedOut,
    /// More than any reply has: not read to its end.
    TooLarge,
    /// A reply that is not UTF-8.
    NotText,
}

impl NoAnswer {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoSuchHost,
        Self::Refused,
        Self::Tls,
        Self::NotConnected,
        Self::ConnectTimedOut,
        Self::Broken,
        Self::Cut,
        Self::TimedOut,
        Self::TooLarge,
        Self::NotText,
    ];

    /// What to do about it, where only somebody who sets the endpoint up can.
    #[must_use]
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::NoSuchHost => Some("its host name is not known; check `base_url` and the network, then run again"),
            Self::Tls => Some(
                "no secure connection could be made: the certificate is not trusted, or the port does not speak TLS; \
                 check `base_url` (http or https, host, port), then run again",
            ),
            Self::Refused
            | Self::NotConnected
            | Self::ConnectTimedOut
            | Self::Broken
            | Self::Cut
            | Self::TimedOut
            | Self::TooLarge
            | Self::NotText => None,
        }
    }

    /// Why sending, or waiting for the head of the answer, failed.
    pub(super) fn of_request(error: &reqwest::Error) -> Self {
        if !error.is_connect() {
            return if error.is_timeout() { Self::TimedOut } else { Self::Broken };
        }
        if error.is_timeout() {
            return Self::ConnectTimedOut;
        }
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = next {
            if let Some(reason) = reason(cause) {
                return reason;
            }
            next = cause.source();
        }
        Self::NotConnected
    }

    /// Why reading the body failed.
    pub(super) fn of_body(error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::TimedOut } else { Self::Cut }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchHost => "host name not known",
            Self::Refused => "connection refused",
            Self::Tls => "no TLS",
            Self::NotConnected => "not connected",
            Self::ConnectTimedOut => "connection timed out",
            Self::Broken => "connection broken",
            Self::Cut => "reply cut",
            Self::TimedOut => "timed out",
            Self::TooLarge => "reply too large",
            Self::NotText => "reply not UTF-8",
        })
    }
}

fn reason(cause: &(dyn Error + 'static)) -> Option<NoAnswer> {
    if cause.is::<rustls::Error>() {
        return Some(NoAnswer::Tls);
    }
    // The resolver's errors have no type that can be named.
    if cause.to_string().starts_with("dns error") {
        return Some(NoAnswer::NoSuchHost);
    }
    let error = cause.downcast_ref::<io::Error>()?;
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return Some(NoAnswer::Refused);
    }
    // What an I/O error wraps is not among its sources.
    reason(error.get_ref()?)
}
