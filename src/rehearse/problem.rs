//! Errors as OpenAI tells them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::request::RequestError;

/// A reason not to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    WrongKey,
    NotARequest(RequestError),
    NoSuchModel(String),
    NoSuchPath,
    TooLong { tokens: u64, limit: u64 },
    RateLimited,
    NoQuota,
    ServerError,
    Overloaded,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::NotARequest(_) | Self::TooLong { .. } => StatusCode::BAD_REQUEST,
            Self::NoSuchModel(_) | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::RateLimited | Self::NoQuota => StatusCode::TOO_MANY_REQUESTS,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `error.type` and `error.code`.
    const fn names(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::WrongKey => ("invalid_request_error", Some("invalid_api_key")),
            Self::NotARequest(_) | Self::NoSuchPath => ("invalid_request_error", None),
            Self::NoSuchModel(_) => ("invalid_request_error", Some("model_not_found")),
            Self::TooLong { .. } => ("invalid_request_error", Some("context_length_exceeded")),
            Self::RateLimited => ("requests", Some("rate_limit_exceeded")),
            Self::NoQuota => ("insufficient_quota", Some("insufficient_quota")),
            Self::ServerError => ("server_error", None),
            Self::Overloaded => ("server_error", Some("overloaded")),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::WrongKey => "Incorrect API key provided.".to_owned(),
            Self::NotARequest(error) => error.to_string(),
            Self::NoSuchModel(model) => format!("The model `{model}` does not exist."),
            Self::NoSuchPath => "Unknown request URL.".to_owned(),
            Self::TooLong { tokens, limit } => format!(
                "This model's maximum context length is {limit} tokens. However, your messages resulted in {tokens} \
                 tokens. Please reduce the length of the messages."
            ),
            Self::RateLimited => "Rate limit reached. Please try again later.".to_owned(),
            Self::NoQuota => "You exceeded your current quota, please check your plan and billing details.".to_owned(),
            Self::ServerError => "The server had an error while processing your request.".to_owned(),
            Self::Overloaded => "The engine is currently overloaded, please try again later.".to_owned(),
        }
    }

    /// The body.
    pub(super) fn json(&self) -> Value {
        let (kind, code) = self.names();
        json!({"error": {"message": self.message(), "type": kind, "param": null, "code": code}})
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status(), Json(self.json())).into_response()
    }
}
