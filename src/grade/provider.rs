//! Whose prices apply to an endpoint: that follows from its host, never from a model's name alone, because several providers
//! serve models of one name at different prices.

/// A provider with a price table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Google,
    /// Mistral.
    Mistral,
    /// `DeepSeek`.
    DeepSeek,
    /// xAI.
    Xai,
    /// Groq.
    Groq,
    /// Together AI.
    Together,
    /// The simulated grader and servers of this machine: made-up prices, and OpenAI's for models of OpenAI, so that a night
    /// can be rehearsed at what it will cost.
    Rehearsal,
}

impl Provider {
    /// All providers.
    pub const ALL: [Self; 9] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Google,
        Self::Mistral,
        Self::DeepSeek,
        Self::Xai,
        Self::Groq,
        Self::Together,
        Self::Rehearsal,
    ];

    /// The name in audit files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Mistral => "mistral",
            Self::DeepSeek => "deepseek",
            Self::Xai => "xai",
            Self::Groq => "groq",
            Self::Together => "together",
            Self::Rehearsal => "rehearsal",
        }
    }

    /// The host of its own endpoint. Regional hosts are not among them: some bill more.
    #[must_use]
    pub const fn host(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("api.openai.com"),
            Self::Anthropic => Some("api.anthropic.com"),
            Self::Google => Some("generativelanguage.googleapis.com"),
            Self::Mistral => Some("api.mistral.ai"),
            Self::DeepSeek => Some("api.deepseek.com"),
            Self::Xai => Some("api.x.ai"),
            Self::Groq => Some("api.groq.com"),
            Self::Together => Some("api.together.xyz"),
            Self::Rehearsal => None,
        }
    }

    /// The provider whose own endpoint this host is.
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.host() == Some(host))
    }

    /// Its price table.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::OpenAi => include_str!("prices/openai.toml"),
            Self::Anthropic => include_str!("prices/anthropic.toml"),
            Self::Google => include_str!("prices/google.toml"),
            Self::Mistral => include_str!("prices/mistral.toml"),
            Self::DeepSeek => include_str!("prices/deepseek.toml"),
            Self::Xai => include_str!("prices/xai.toml"),
            Self::Groq => include_str!("prices/groq.toml"),
            Self::Together => include_str!("prices/together.toml"),
            Self::Rehearsal => include_str!("prices/rehearsal.toml"),
        }
    }
}
