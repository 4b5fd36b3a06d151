use std::iter::once;

use super::*;
use crate::model::hash::PartHasher;
use crate::report::layout::Style;

fn subject() -> Subject {
    Subject {
        audit: "night".to_owned(),
        behaviour: "metagaming".to_owned(),
        prompt: "screen@1".parse().unwrap(),
        prompt_hash: Digest::of(b"prompt"),
        model: "m".to_owned(),
        served: BTreeSet::from(["m-1".to_owned()]),
        watermark: None,
        simulated: false,
        unit: UnitKind::Turn,
        run: Some("run".to_owned()),
        run_reason: None,
        level: 0.95,
    }
}

/// A uniform number that is a hash of what is decided.
fn uniform(seed: u64, what: &[u64]) -> f64 {
    let mut hasher = PartHasher::new("invariance test");
    hasher.number(seed);
    for part in what {
        hasher.number(*part);
    }
    f64::from(u32::try_from(hasher.finish().leading_u64() >> 32).unwrap()) / 4_294_967_296.0
}

/// Sensitivity and specificity of a simulated grader, plainly and under one framing.
type Accuracy = (f64, f64);

fn framed(id: &str, pairs: Option<Vec<Pair>>) -> Framed {
    Framed { id: id.to_owned(), text: "x".to_owned(), control: false, pairs, served: BTreeSet::new() }
}

/// A check by a grader with errors: 60 positive gold items, 120 negative ones, 100 random units. One framing sways it.
fn check(seed: u64, plain: Accuracy, swayed: Accuracy) -> InvarianceReport {
    check_of_best(seed, 1, plain, swayed)
}

/// The same, by a prompt that is the one of so many drafts, all as good, that gold liked best.
fn check_of_best(seed: u64, drafts: u64, plain: Accuracy, swayed: Accuracy) -> InvarianceReport {
    let is_flagged = |item: u64, asking: u64, (sensitivity, specificity): Accuracy| {
        let positive_rate = if item < 60 { sensitivity } else { 1.0 - specificity };
        uniform(seed, &[item, asking]) < positive_rate
    };
    let said = |item, asking, accuracy| {
        let is_flagged = is_flagged(item, asking, accuracy);
        Answer::Usable(is_flagged, if is_flagged { 80 } else { 10 })
    };
    let right = |asking: &u64| (0..180).filter(|item| is_flagged(*item, *asking, plain) == (*item < 60)).count();
    let best = once(0).chain(100..99 + drafts).max_by_key(right).unwrap();
    let set = |item: u64| match item {
        0..60 => PairSet::GoldPresent,
        60..180 => PairSet::GoldAbsent,
        _ => PairSet::Random,
    };
    let framing = |number: u64| {
        let accuracy = if number == 2 { swayed } else { plain };
        let pair = |item| Pair { set: set(item), plain: said(item, best, plain), framed: said(item, number, accuracy) };
        let pairs = Some((0..280).map(pair).collect());
        Framed { control: number == 1, ..framed(&format!("f{number}"), pairs) }
    };
    InvarianceReport::new(subject(), &(1..=5).map(framing).collect::<Vec<_>>(), Took::default())
}

const PLAIN: Accuracy = (0.85, 0.97);

fn moved(seeds: std::ops::Range<u64>, swayed: Accuracy) -> usize {
    seeds.filter(|seed| check(*seed, PLAIN, swayed).conclusion == Conclusion::Moved).count()
}

#[test]
fn a_grader_that_does_not_care_seldom_alarms_and_one_that_does_is_found() {
    let false_alarms = moved(0..400, PLAIN);
    assert!(false_alarms <= 20, "{false_alarms} of 400: the family's chance of one is 5% at most");
    let lenient = moved(1_000..1_200, (0.35, 0.97));
    assert!(lenient >= 190, "{lenient} of 200 graders that clear 50 points more of what shows it");
    let harsh = moved(2_000..2_200, (0.85, 0.82));
    assert!(harsh >= 180, "{harsh} of 200 graders that flag 15 points more of what does not");
}

#[test]
#[ignore = "prints the table of docs/prompts.md"]
fn detection_table() {
    for (name, swayed) in [
        ("none", PLAIN),
        ("sensitivity .85 -> .75", (0.75, 0.97)),
        ("sensitivity .85 -> .65", (0.65, 0.97)),
        ("sensitivity .85 -> .50", (0.5, 0.97)),
        ("sensitivity .85 -> .35", (0.35, 0.97)),
        ("specificity .97 -> .92", (0.85, 0.92)),
        ("specificity .97 -> .87", (0.85, 0.87)),
        ("specificity .97 -> .82", (0.85, 0.82)),
    ] {
        println!("| {name} | {} of 400 |", moved(50_000..50_400, swayed));
    }
}

#[test]
#[ignore = "prints the second table of docs/prompts.md"]
fn table_of_prompts_that_were_tuned_on_the_gold() {
    for drafts in [1, 5, 20, 50] {
        let moved = |seed: &u64| check_of_best(*seed, drafts, PLAIN, PLAIN).conclusion == Conclusion::Moved;
        println!("| {drafts} | {} of 2,000 |", (100_000..102_000).filter(moved).count());
    }
}

#[test]
fn only_the_framing_that_sways_is_named() {
    let report = check(7, PLAIN, (0.3, 0.97));
    let found: Vec<_> = report.framings.iter().map(|row| (row.id.as_str(), row.moved)).collect();
    assert_eq!(
        found,
        [("f1", Some(false)), ("f2", Some(true)), ("f3", Some(false)), ("f4", Some(false)), ("f5", Some(false))]
    );
    let swayed = &report.framings[1];
    assert_eq!(swayed.sets.iter().map(|set| set.units).sum::<u64>(), swayed.units);
    assert!(swayed.lost > swayed.gained && swayed.score_change < Some(0.0));
    let page = report.render(Style::Plain);
    assert!(page.contains("Not invariant") && page.contains("(f2)"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}

const YES: Answer = Answer::Usable(true, 90);
const NO: Answer = Answer::Usable(false, 5);

#[test]
fn what_is_missing_is_no_no_and_what_cannot_show_is_not_called_invariant() {
    let pair = |plain, framed| Pair { set: PairSet::Random, plain, framed };
    let few = [vec![pair(YES, YES); 3], vec![pair(NO, NO); 200], vec![pair(Answer::Unusable, YES); 30]].concat();
    let report = InvarianceReport::new(subject(), &[framed("a", Some(few))], Took::default());
    let row = &report.framings[0];
    assert_eq!((row.units, row.undecided, row.lost), (203, 30, 0), "a refusal loses nothing");
    assert_eq!(report.conclusion, Conclusion::TooFew);
    let stopped = Took { stopped: Some("budget"), ..Took::default() };
    let report = InvarianceReport::new(subject(), &[framed("a", None)], stopped);
    assert_eq!((report.conclusion, report.framings[0].difference), (Conclusion::Unfinished, None));
    assert_eq!(report.framings[0].reason.as_deref(), Some("it was not asked"));
    let enough = [vec![pair(YES, YES); 30], vec![pair(NO, NO); 30]].concat();
    let report = InvarianceReport::new(subject(), &[framed("a", Some(enough))], Took::default());
    assert_eq!(report.conclusion, Conclusion::NotMoved);
}

/// Enough of both kinds, and so many pairs of another.
fn beside(other: (Answer, Answer), many: usize) -> Vec<Pair> {
    let pair = |(plain, framed)| Pair { set: PairSet::Random, plain, framed };
    [vec![pair((YES, YES)); 30], vec![pair((NO, NO)); 30], vec![pair(other); many]].concat()
}

#[test]
fn verdicts_that_a_framing_makes_unusable_are_not_passed_over() {
    let concluded = |other, many| {
        let report = InvarianceReport::new(subject(), &[framed("a", Some(beside(other, many)))], Took::default());
        let page = report.render(Style::Plain);
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        (report.conclusion, report.framings[0].made_unusable, page)
    };
    // Six flips one way are what a test of one framing needs.
    assert_eq!(concluded((YES, Answer::Unusable), 5).0, Conclusion::NotMoved);
    let (conclusion, made_unusable, page) = concluded((YES, Answer::Unusable), 6);
    assert_eq!((conclusion, made_unusable), (Conclusion::Unusable, 6));
    assert!(page.contains("Verdicts became unusable") && page.contains("(a 6)"), "{page}");
    assert_eq!(concluded((Answer::Unusable, Answer::Unusable), 40).0, Conclusion::NotMoved, "as they are plainly");
    let (conclusion, made_unusable, page) = concluded((YES, Answer::NotAsked), 6);
    assert_eq!((conclusion, made_unusable), (Conclusion::Unfinished, 0));
    assert!(page.contains("without an answer: a 6"), "{page}");
    assert_eq!(concluded((YES, Answer::NotAsked), 5).0, Conclusion::NotMoved, "one failed request hides no framing");
}

#[test]
fn answers_of_another_model_are_not_compared() {
    let lost = beside((YES, NO), 40);
    let concluded = |served: &[&str]| {
        let served = served.iter().map(|name| (*name).to_owned()).collect();
        let report =
            InvarianceReport::new(subject(), &[Framed { served, ..framed("a", Some(lost.clone())) }], Took::default());
        (report.conclusion, report.render(Style::Plain))
    };
    assert_eq!(concluded(&["m-1"]).0, Conclusion::Moved);
    assert_eq!(concluded(&[]).0, Conclusion::Moved, "nobody says who it was");
    let (conclusion, page) = concluded(&["m-2"]);
    assert_eq!(conclusion, Conclusion::OtherModel);
    assert!(page.contains("served plainly as: m-1") && page.contains("a: m-2"), "{page}");
    assert_eq!(concluded(&["m-1", "m-2"]).0, Conclusion::OtherModel);
}
