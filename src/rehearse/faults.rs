//! What goes wrong with a request, if anything.

use super::draw::{Draws, Probability};
use super::settings::FaultSettings;

/// A failure of one attempt: a retry draws again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptFault {
    Early(EarlyFault),
    Late(LateFault),
}

/// A failure before any work was done; never billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EarlyFault {
    RateLimited,
    InsufficientQuota,
    ServerError,
    Unavailable,
    MalformedBody,
    ErrorIn200,
}

/// A failure after the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LateFault {
    Reset,
    Hang,
    TruncatedBody,
}

impl EarlyFault {
    /// The name in the profile and in statistics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::InsufficientQuota => "insufficient_quota",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable",
            Self::MalformedBody => "malformed_body",
            Self::ErrorIn200 => "error_in_200",
        }
    }
}

impl LateFault {
    /// The name in the profile and in statistics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::TruncatedBody => "truncated_body",
        }
    }
}

/// An odd reply: the same for every attempt at the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentFault {
    Refusal,
    EmptyChoices,
    Length,
    ContentFilter,
    MalformedContent,
    UnverifiedQuote,
    CannotJudge,
}

impl ContentFault {
    /// The name in the profile and in statistics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::EmptyChoices => "empty_choices",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::MalformedContent => "malformed_content",
            Self::UnverifiedQuote => "unverified_quote",
            Self::CannotJudge => "cannot_judge",
        }
    }
}

/// Faults that exclude each other, with their probabilities.
pub(super) struct Odds<F, const N: usize>([(F, Probability); N]);

impl<F: Copy, const N: usize> Odds<F, N> {
    /// The probability that any of them strikes.
    pub(super) fn sum(&self) -> f64 {
        self.0.iter().map(|(_, probability)| probability.value()).sum()
    }

    /// The one that strikes, given a uniform number from 0 to 1.
    fn strike(&self, uniform: f64) -> Option<F> {
        let mut left = uniform;
        for (fault, probability) in &self.0 {
            if left < probability.value() {
                return Some(*fault);
            }
            left -= probability.value();
        }
        None
    }
}

impl FaultSettings {
    /// The fault of the attempt with this number, from 0, at the request with this key.
    pub(super) fn of_attempt(&self, seed: u64, key: &[u8], attempt: u32) -> Option<AttemptFault> {
        let draws = Draws::about(seed, &[key, &attempt.to_le_bytes()]);
        self.attempt_odds().strike(draws.unit("attempt fault"))
    }

    /// The fault of every reply to the request that `draws` is about.
    pub(super) fn of_content(&self, draws: &Draws) -> Option<ContentFault> {
        self.content_odds().strike(draws.unit("content fault"))
    }

    pub(super) fn attempt_odds(&self) -> Odds<AttemptFault, 9> {
        Odds([
            (AttemptFault::Early(EarlyFault::RateLimited), self.rate_limited),
            (AttemptFault::Early(EarlyFault::InsufficientQuota), self.insufficient_quota),
            (AttemptFault::Early(EarlyFault::ServerError), self.server_error),
            (AttemptFault::Early(EarlyFault::Unavailable), self.unavailable),
            (AttemptFault::Early(EarlyFault::MalformedBody), self.malformed_body),
            (AttemptFault::Early(EarlyFault::ErrorIn200), self.error_in_200),
            (AttemptFault::Late(LateFault::Reset), self.reset),
            (AttemptFault::Late(LateFault::Hang), self.hang),
            (AttemptFault::Late(LateFault::TruncatedBody), self.truncated_body),
        ])
    }

    pub(super) fn content_odds(&self) -> Odds<ContentFault, 7> {
        Odds([
            (ContentFault::Refusal, self.refusal),
            (ContentFault::EmptyChoices, self.empty_choices),
            (ContentFault::Length, self.length),
            (ContentFault::ContentFilter, self.content_filter),
            (ContentFault::MalformedContent, self.malformed_content),
            (ContentFault::UnverifiedQuote, self.unverified_quote),
            (ContentFault::CannotJudge, self.cannot_judge),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probability(value: f64) -> Probability {
        Probability::new(value).unwrap()
    }

    #[test]
    fn shares_are_as_stated_and_attempts_differ() {
        let faults = FaultSettings { reset: probability(0.2), hang: probability(0.1), ..FaultSettings::default() };
        let struck: Vec<_> = (0..10_000).map(|attempt| faults.of_attempt(1, b"key", attempt)).collect();
        let share = |fault| struck.iter().filter(|&&drawn| drawn == fault).count();
        assert!((1_900..2_100).contains(&share(Some(AttemptFault::Late(LateFault::Reset)))));
        assert!((900..1_100).contains(&share(Some(AttemptFault::Late(LateFault::Hang)))));
        assert!((6_850..7_150).contains(&share(None)));
    }

    #[test]
    fn certain_faults_always_strike() {
        let faults = FaultSettings { refusal: Probability::ALWAYS, ..FaultSettings::default() };
        for key in 0_u8..100 {
            assert_eq!(faults.of_content(&Draws::about(1, &[&[key]])), Some(ContentFault::Refusal));
            assert_eq!(faults.of_attempt(1, &[key], 0), None);
        }
    }
}
