//! `assize plan`.

use crate::support::{Night, shape};

#[test]
fn a_plan_before_anything_was_spent_and_after() {
    let night = Night::new(60);
    insta::assert_snapshot!("before", night.workspace.run(&["plan"]).expect(0).shown());
    assert_eq!(night.requests(), (0, 0));
    night.workspace.report();
    let asked = night.requests();
    insta::assert_snapshot!("after", night.workspace.run(&["plan"]).expect(0).shown());
    let dry = night.workspace.run(&["run", "--dry-run"]).expect(0).stdout;
    assert_eq!(dry, night.workspace.run(&["plan"]).expect(0).stdout);
    assert_eq!(night.requests(), asked);
}

#[test]
fn the_json_has_the_same_shape_and_the_same_bytes_every_time() {
    let night = Night::new(20);
    let plan = || night.workspace.run(&["plan", "--format", "json"]).expect(0);
    let first = plan();
    assert_eq!(first.stdout, plan().stdout);
    insta::assert_snapshot!(shape(&first.json(), &[]));
}

#[test]
fn a_cap_that_cannot_hold_the_worst_case_is_named() {
    let night = Night::new(20);
    let plan = |cap| night.workspace.run(&["plan", "--max-cost", cap]).expect(0).stdout;
    let words = |page: &str| page.split_whitespace().collect::<Vec<_>>().join(" ");
    let tight = words(&plan("0.05"));
    assert!(tight.contains("holds whatever happens. It closes admission early if all goes as assumed"), "{tight}");
    assert!(tight.contains(" $0.05 The cap of $0.05"), "nobody pays more than the cap: {tight}");
    let ample = plan("1000");
    assert!(ample.contains("stops nothing"), "{ample}");
}

#[test]
fn a_plan_leaves_no_run_and_no_lock_behind() {
    let night = Night::new(5);
    night.workspace.run(&["plan"]).expect(0);
    for written in ["runs", "prompts.lock", "cache/lock", "cache/replies"] {
        assert!(!night.workspace.path(written).exists(), "{written}");
    }
}
