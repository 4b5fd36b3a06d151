//! `price` of an endpoint.

use std::collections::BTreeMap;

use crate::grade::provider::Provider;
use crate::grade::settings::PriceSetting;
use crate::model::grading::ApiKind;
use crate::model::money::Price;

use super::super::ledger::Ledger;
use super::super::loose::Loose;
use super::super::nearest;

/// The price as written; without one, the table of the provider whose endpoint it is, if it is one's.
pub(super) fn check(
    path: &str,
    written: Option<&Loose>,
    (api, provider): (ApiKind, Option<Provider>),
    ledger: &mut Ledger<'_>,
) -> PriceSetting {
    let own = PriceSetting::Table(provider);
    // A verdict that is there costs nothing, whatever it cost whoever made it.
    if api == ApiKind::Recorded {
        ledger.record_written(path, "free");
        return PriceSetting::Free;
    }
    match written {
        // What runs here sends no bill.
        None if api == ApiKind::Command => {
            ledger.record_written(path, "free");
            return PriceSetting::Free;
        }
        None => ledger.record_written(path, "table"),
        Some(Loose::Text(text)) => {
            ledger.record_written(path, text);
            let named = Provider::ALL.map(|provider| (provider.as_str(), PriceSetting::Table(Some(provider))));
            let choices: Vec<_> = [("table", own), ("free", PriceSetting::Free)].into_iter().chain(named).collect();
            return ledger.choice(path, Some(text), &choices, &[]).unwrap_or(own);
        }
        Some(Loose::Numbers(numbers)) => {
            ledger.record_written(path, numbers);
            return fixed_price(path, numbers, ledger);
        }
        Some(Loose::Whole(_) | Loose::Real(_) | Loose::Texts(_)) => {
            ledger.problem(
                path,
                "`price` expects `\"table\"`, `\"free\"`, a provider such as `\"openai\"`, or \
                 `{ input = 0.25, cached = 0.025, output = 2.0 }`",
            );
        }
    }
    own
}

fn fixed_price(path: &str, numbers: &BTreeMap<String, f64>, ledger: &mut Ledger<'_>) -> PriceSetting {
    const KEYS: [&str; 3] = ["input", "cached", "output"];
    for key in numbers.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let advice = nearest::suggestion(key, KEYS);
        ledger.problem(&format!("{path}.{key}"), format!("unknown key `{key}` in [{path}]; {advice}"));
    }
    let mut amount = |key: &str| {
        let checked = numbers.get(key).map(|dollars| nano_usd_per_token(*dollars));
        checked.map(|checked| ledger.ok_or(&format!("{path}.{key}"), checked, 0))
    };
    let (input, cached, output) = (amount("input"), amount("cached"), amount("output"));
    let (Some(input), Some(output)) = (input, output) else {
        ledger.problem(path, "`price` needs `input` and `output`, in dollars per million tokens");
        return PriceSetting::Free;
    };
    // Without its own price a cached token costs what any other does: a bound, never less.
    PriceSetting::Fixed(Price::flat(input, cached.unwrap_or(input), output))
}

/// Dollars per million tokens as nano-dollars per token, rounded up, so that a cap holds.
fn nano_usd_per_token(dollars: f64) -> Result<u64, String> {
    if !(0.0..=1e6).contains(&dollars) {
        return Err("must lie between 0 and 1000000 dollars per million tokens".to_owned());
    }
    // 0.07 * 1000 is 70.00000000000001: what is only the error of the product is not rounded up.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    Ok((dollars * 1e3 - 1e-6).ceil().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_round_up_and_only_where_there_is_something_to_round() {
        let nano = |dollars| nano_usd_per_token(dollars).unwrap();
        assert_eq!([nano(0.25), nano(0.025), nano(2.0), nano(0.07), nano(0.0)], [250, 25, 2_000, 70, 0]);
        assert_eq!(nano(0.0375), 38);
        assert_eq!(nano(0.0001), 1);
        for wrong in [-0.1, f64::NAN, f64::INFINITY, 1e7] {
            assert!(nano_usd_per_token(wrong).is_err(), "{wrong}");
        }
    }
}
