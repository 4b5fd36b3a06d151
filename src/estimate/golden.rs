//! Golden values: computed once with trusted packages, kept beside the checkout.

use std::path::Path;

use serde_json::Value;

/// A number of a golden file; infinities are words there.
pub(crate) fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(word) => word.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

/// The numbers of a golden array.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Calls `pairs` on every case's input and expected values, and compares each pair (found, expected) to the file's
/// tolerance. Without the file there is nothing to check, and the test says so.
pub(crate) fn check(method: &str, pairs: impl Fn(&Value, &Value) -> Vec<(f64, f64)>) {
    compare(method, None, pairs);
}

/// How far a value may be from the expected one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    pub(crate) relative: f64,
    pub(crate) absolute: f64,
}

/// [`check`] to another tolerance, for columns whose definition states one.
pub(crate) fn check_to(method: &str, tolerance: Tolerance, pairs: impl Fn(&Value, &Value) -> Vec<(f64, f64)>) {
    compare(method, Some(tolerance), pairs);
}

fn compare(method: &str, tolerance: Option<Tolerance>, pairs: impl Fn(&Value, &Value) -> Vec<(f64, f64)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden").join(method).with_extension("json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no golden values at {}", path.display());
        return;
    };
    let golden: Value = serde_json::from_str(&text).unwrap();
    let stated = |kind: &str| golden["tolerance"][kind].as_f64().unwrap();
    let Tolerance { relative, absolute } =
        tolerance.unwrap_or_else(|| Tolerance { relative: stated("rel"), absolute: stated("abs") });
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        for (found, expected) in pairs(&case["input"], &case["expected"]) {
            let allowed = absolute + relative * expected.abs();
            let is_close = if expected.is_finite() {
                (found - expected).abs() <= allowed
            } else {
                found.total_cmp(&expected).is_eq()
            };
            assert!(is_close, "{}: {found:e}, not {expected:e}", case["id"]);
            compared += 1;
        }
    }
    assert!(compared > 0, "no case of {method} was compared");
    println!("{method}: {compared} values of {} cases", golden["cases"].as_array().unwrap().len());
}
