//! Golden values: computed once with trusted packages, kept beside the checkout.

use std::path::Path;

use serde_json::Value;

/// Calls `pairs` on every case's input and expected values, and compares each pair (found, expected) to the file's
/// tolerance. Without the file there is nothing to check, and the test says so.
pub(super) fn check(method: &str, pairs: impl Fn(&Value, &Value) -> Vec<(f64, f64)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden").join(method).with_extension("json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no golden values at {}", path.display());
        return;
    };
    let golden: Value = serde_json::from_str(&text).unwrap();
    let tolerance = |kind: &str| golden["tolerance"][kind].as_f64().unwrap();
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        for (found, expected) in pairs(&case["input"], &case["expected"]) {
            let allowed = tolerance("abs") + tolerance("rel") * expected.abs();
            assert!((found - expected).abs() <= allowed, "{}: {found:e}, not {expected:e}", case["id"]);
            compared += 1;
        }
    }
    assert!(compared > 0, "no case of {method} was compared");
}
