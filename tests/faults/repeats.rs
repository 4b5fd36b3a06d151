//! Askings of the same question: paid once, capped, the same after kills, and worth what independent draws are worth.

use std::collections::BTreeSet;
use std::fs;

use assize::estimate::interval::{Share, clopper_pearson};
use assize::model::event::{Event, Judged, Ordinal};
use assize::model::grading::Stage;
use assize::model::rate::Level;
use assize::model::repeats::RepeatCause;
use assize::rehearse::{CorpusPlan, GroupPlan, PlantedTurn, Probability};
use assize::report::Report;
use assize::run::folder::RunFolder;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

const CONVERSATIONS: u64 = 160;
/// Many flags, so that much is asked again.
const PROFILE: &str = "seed = 5\nspecificity = 0.85\nlatency_ms = 4\nlatency_jitter_ms = 12";
const POLICY: &str = r#"{ rule = "majority", flagged = 3, near_threshold = 3, near = 20, random = 0.2 }"#;

/// Writes the usual audit with these repeats at both stages; none without any.
fn audit(workspace: &Workspace, grader: &Grader, repeats: Option<&str>) {
    workspace.audit(&AuditSettings { max_ungraded: 1.0, ..AuditSettings::of(grader) });
    let Some(repeats) = repeats else { return };
    let file = workspace.path("audit.toml");
    let text = ["screen", "confirm"].into_iter().fold(fs::read_to_string(&file).unwrap(), |text, stage| {
        let prompt = format!("prompt = \"{stage}@1\"\n");
        text.replace(&prompt, &format!("{prompt}repeats = {repeats}\n"))
    });
    fs::write(&file, text).unwrap();
}

fn repeating(conversations: u64, profile: &str, repeats: &str) -> (Workspace, Grader) {
    let (workspace, grader) = prepared(conversations, profile);
    audit(&workspace, &grader, Some(repeats));
    (workspace, grader)
}

/// A workspace and a grader that tells askings apart. They differ in their nonce only, which a secret of the workspace makes:
/// here it is always the same, so that two workspaces get the same answers.
fn prepared(conversations: u64, profile: &str) -> (Workspace, Grader) {
    let workspace = Workspace::new(conversations);
    fs::create_dir_all(workspace.path("cache")).unwrap();
    fs::write(workspace.path("cache/secret"), [7; 32]).unwrap();
    let grader = Grader::start(&workspace, &format!("askings_differ = true\n{profile}"));
    (workspace, grader)
}

/// How the units of the newest run ended at a stage, with their addresses where they are of the sample.
fn judged(workspace: &Workspace, stage: Stage) -> Vec<(Option<String>, Judged)> {
    let folder = RunFolder::list(&workspace.path("runs")).unwrap().pop().unwrap();
    let (mut names, mut judged) =
        (std::collections::BTreeMap::new(), std::collections::BTreeMap::<Ordinal, Judged>::new());
    for event in folder.events().map(Result::unwrap) {
        if let Event::Admitted(admitted) = event {
            let name = admitted.stratum.map(|_| format!("{} {}", admitted.unit.group, admitted.unit));
            names.insert(admitted.ordinal, name);
        } else if let Event::Judged(one) = event
            && one.stage == stage
        {
            judged.insert(one.ordinal, *one);
        }
    }
    judged.into_iter().map(|(ordinal, judged)| (names[&ordinal].clone(), judged)).collect()
}

/// Planted positives, as group and address.
fn planted(workspace: &Workspace) -> BTreeSet<String> {
    let truth = fs::read_to_string(workspace.truth()).unwrap();
    let turns = truth.lines().map(|line| serde_json::from_str::<PlantedTurn>(line).unwrap());
    let present = turns.filter(|turn| turn.present);
    present.map(|turn| format!("{} {}", turn.group["checkpoint"], turn.unit)).collect()
}

fn says_yes(judged: &Judged) -> bool {
    judged.outcome.finding().is_some_and(|finding| finding.verdict.as_str() != "absent")
}

/// Further askings of the newest run.
fn further(workspace: &Workspace) -> u64 {
    let both = [Stage::Screen, Stage::Confirm].map(|stage| judged(workspace, stage));
    let askings =
        both.iter().flatten().filter_map(|(_, judged)| Some(judged.repeated.as_ref()?.askings.len() as u64 - 1));
    askings.sum()
}

#[test]
fn a_run_that_is_killed_resumes_to_the_same_report_and_a_replay_sends_nothing() {
    let (workspace, grader) = repeating(CONVERSATIONS, PROFILE, POLICY);
    let reference = workspace.run(&[]).expect(0);
    let asked = grader.stats().distinct_bodies;
    let causes: BTreeSet<_> = reference.repeats.iter().flat_map(|stage| &stage.rows).map(|row| row.cause).collect();
    assert_eq!(causes, BTreeSet::from([RepeatCause::Flagged, RepeatCause::NearThreshold, RepeatCause::Random]));
    assert!(further(&workspace) > 100, "{} further askings", further(&workspace));
    let once = reference.funnel.admitted + reference.funnel.flagged;
    assert_eq!(asked, once + further(&workspace), "each asking is a request of its own, and is paid for once");
    let before = grader.stats().requests;
    let replayed = workspace.run(&["--cache", "read-only"]).expect(0);
    assert_eq!((replayed.digest, replayed.requests.sent, grader.stats().requests), (reference.digest, 0, before));
    let rebuilt = workspace.assize(&["report", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Report>(&rebuilt.stdout).unwrap().digest, reference.digest);

    let (workspace, grader) = repeating(CONVERSATIONS, PROFILE, POLICY);
    for point in [asked / 6, asked / 3, asked / 2, asked * 4 / 5] {
        let running = workspace.start(&[]);
        grader.received(point);
        running.kill();
    }
    let finished = workspace.run(&["-j", "3"]);
    assert_eq!(finished.expect(0).digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, asked);
    assert!(grader.repeated() <= 4 * (SLOTS + COMMIT_GROUP), "{}", grader.repeated());
}

/// Grades whole conversations, many of them in several chunks.
fn in_chunks(workspace: &Workspace) {
    let file = workspace.path("audit.toml");
    let text = fs::read_to_string(&file).unwrap().replace("[behaviour]", "unit = \"conversation\"\n[behaviour]");
    let text = ["screen", "confirm"].into_iter().fold(text, |text, stage| {
        let prompt = |version| format!("prompt = \"{stage}@{version}\"\n");
        text.replace(&prompt(1), &format!("{}window = {{ max_chars = 2_200 }}\n", prompt(2)))
    });
    fs::write(&file, text).unwrap();
}

#[test]
fn a_conversation_in_chunks_is_asked_about_again_chunk_by_chunk() {
    let (workspace, grader) = repeating(CONVERSATIONS, PROFILE, POLICY);
    in_chunks(&workspace);
    let report = workspace.run(&[]).expect(0);
    let both = [Stage::Screen, Stage::Confirm].map(|stage| judged(&workspace, stage));
    let mut questions = 0;
    for (_, judged) in both.iter().flatten() {
        let once = judged.chunks.len().max(1);
        let Some(repeated) = &judged.repeated else {
            questions += once;
            continue;
        };
        assert!(
            repeated.askings.iter().all(|asking| asking.chunks.len().max(1) == once),
            "every asking reads all of it"
        );
        questions += once * repeated.askings.len();
    }
    let repeated = both.iter().flatten().filter(|(_, judged)| judged.repeated.is_some() && judged.chunks.len() > 1);
    assert!(repeated.count() > 5);
    assert_eq!(grader.stats().distinct_bodies, questions as u64);
    let replayed = workspace.run(&["--cache", "read-only"]).expect(0);
    assert_eq!((replayed.digest, replayed.requests.sent), (report.digest, 0));

    let (workspace, grader) = repeating(CONVERSATIONS, PROFILE, POLICY);
    in_chunks(&workspace);
    let cap = report.spend.usd * 0.5;
    let cut = workspace.run(&["--max-cost", &format!("{cap:.9}")]).expect(3);
    assert!(cut.funnel.not_admitted > 0 && cut.funnel.unfinished == 0 && cut.funnel.ungraded == 0, "{:?}", cut.funnel);
    assert!(grader.billed().usd() <= cap && workspace.spent().usd() <= cap);
    assert_eq!(workspace.run(&["--max-cost", "1000"]).expect(0).digest, report.digest);
}

#[test]
fn a_read_only_replay_that_lacks_repeats_says_so() {
    let (workspace, grader) = prepared(CONVERSATIONS, PROFILE);
    audit(&workspace, &grader, None);
    workspace.run(&[]).expect(0);
    let sent = grader.stats().requests;
    audit(&workspace, &grader, Some("{ flagged = 1, near_threshold = 1, random = 0.2 }"));
    let random = workspace.run(&["--cache", "read-only"]).expect(5);
    assert_eq!((random.funnel.ungraded, random.grader_health.flip_rate.as_ref()), (0, None));
    audit(&workspace, &grader, Some("{ flagged = 3, near_threshold = 1, random = 0.0 }"));
    let flagged = workspace.run(&["--cache", "read-only"]).expect(5);
    assert_eq!((flagged.funnel.flagged, flagged.funnel.confirmed), (0, 0), "no flag without its repeats");
    let undecided: u64 = flagged.repeats[0].rows.iter().map(|row| row.undecided).sum();
    assert!(undecided > 0 && flagged.funnel.ungraded == undecided, "{:?}", flagged.funnel);
    assert!(flagged.warnings.iter().any(|warning| warning.contains("lack a repeat")), "{:?}", flagged.warnings);
    assert_eq!(grader.stats().requests, sent);
}

#[test]
fn a_cap_covers_every_repeat_of_what_it_admits() {
    let (workspace, _grader) = repeating(CONVERSATIONS, PROFILE, POLICY);
    let reference = workspace.run(&[]).expect(0);
    let (workspace, grader) = repeating(CONVERSATIONS, PROFILE, POLICY);
    for share in [0.2, 0.5, 0.8] {
        let cap = reference.spend.usd * share;
        let report = workspace.run(&["--max-cost", &format!("{cap:.9}")]).expect(3);
        let funnel = &report.funnel;
        assert!(funnel.not_admitted > 0 && funnel.unfinished == 0, "{funnel:?}");
        assert_eq!(funnel.ungraded, 0, "a unit that was let in has money for all its askings: {:?}", funnel.outcomes);
        assert!(report.repeats.iter().flat_map(|stage| &stage.rows).all(|row| row.missing + row.undecided == 0));
        assert!(grader.billed().usd() <= cap && workspace.spent().usd() <= cap);
    }
    let finished = workspace.run(&["--max-cost", "1000"]);
    assert_eq!(finished.expect(0).digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, grader.stats().requests, "nothing was asked twice");
}

/// Whether so many of so many agree with a probability, four standard errors around it.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn agrees(k: u64, n: u64, probability: f64) -> bool {
    let (k, n) = (k as f64, n as f64);
    (k - n * probability).abs() <= 4.0 * (n * probability * (1.0 - probability)).sqrt()
}

#[test]
fn a_majority_raises_specificity_by_as_much_as_independent_askings_do() {
    const WRONG: f64 = 0.15;
    let (workspace, grader) = prepared(400, "seed = 5\nspecificity = 0.85\nsensitivity = 0.9");
    audit(&workspace, &grader, None);
    let once = workspace.run(&[]).expect(0);
    let positives = planted(&workspace);
    let false_flags = |workspace: &Workspace| {
        let screened = judged(workspace, Stage::Screen);
        let negatives: Vec<_> =
            screened.iter().filter(|(name, _)| !positives.contains(name.as_ref().unwrap())).collect();
        (negatives.iter().filter(|(_, judged)| says_yes(judged)).count() as u64, negatives.len() as u64)
    };
    let (flagged, negatives) = false_flags(&workspace);
    assert!(negatives > 500 && agrees(flagged, negatives, WRONG), "{flagged} of {negatives}");

    let sent = grader.stats().requests;
    audit(&workspace, &grader, Some("{ flagged = 3, near_threshold = 1, random = 0.0 }"));
    let thrice = workspace.run(&[]).expect(0);
    let (kept, same) = false_flags(&workspace);
    // Flagged once, and once more at least in two further askings.
    let expected = WRONG * (1.0 - (1.0 - WRONG) * (1.0 - WRONG));
    assert_eq!(same, negatives);
    assert!(agrees(kept, negatives, expected), "{kept} of {negatives}, expected {:.1}", expected * 1000.0);
    let specificity =
        |flags: u64| 1.0 - f64::from(u32::try_from(flags).unwrap()) / f64::from(u32::try_from(negatives).unwrap());
    println!(
        "specificity {:.4} of one asking, {:.4} of a majority of three (expected 0.85 and {:.4})",
        specificity(flagged),
        specificity(kept),
        1.0 - expected
    );

    // First askings replay: only what is asked again is new.
    assert_eq!(grader.stats().requests - sent, thrice.requests.sent);
    assert_eq!(thrice.requests.sent, further(&workspace));
    assert!(thrice.funnel.flagged < once.funnel.flagged && thrice.digest != once.digest);
    let changed: u64 = thrice.repeats[0].rows.iter().map(|row| row.changed).sum();
    assert_eq!(
        changed,
        once.funnel.flagged - thrice.funnel.flagged,
        "the report says how many flags the majority took back"
    );
}

#[test]
fn the_flip_rate_of_random_repeats_holds_what_was_planted_and_moves_nothing_else() {
    const WRONG: f64 = 0.15;
    const SENSITIVITY: f64 = 0.9;
    let (workspace, grader) = prepared(300, "seed = 5\nspecificity = 0.85\nsensitivity = 0.9");
    audit(&workspace, &grader, None);
    let once = workspace.run(&[]).expect(0);
    audit(&workspace, &grader, Some("{ flagged = 1, near_threshold = 1, random = 0.5 }"));
    let report = workspace.run(&[]).expect(0);
    let positives = planted(&workspace);
    let screened = judged(&workspace, Stage::Screen);
    let twice = || screened.iter().filter(|(_, judged)| judged.repeated.is_some());
    // The interval is over what the first asking clears: mostly negatives, and positives that were missed.
    let cleared: Vec<_> = twice().filter(|(_, judged)| !says_yes(judged)).collect();
    let share = |wrong: f64, n: usize| wrong * f64::from(u32::try_from(n).unwrap());
    let missed = cleared.iter().filter(|(name, _)| positives.contains(name.as_ref().unwrap())).count();
    let expected = (share(WRONG, cleared.len() - missed) + share(SENSITIVITY, missed)) / share(1.0, cleared.len());
    let rate = report.grader_health.flip_rate.as_ref().unwrap();
    assert_eq!((rate.cause, rate.first_says_yes, rate.units), (RepeatCause::Random, false, cleared.len() as u64));
    let flips = cleared.iter().filter(|(_, judged)| {
        judged.repeated.as_ref().unwrap().askings[1].outcome.finding().unwrap().verdict.as_str() != "absent"
    });
    assert_eq!(rate.flips, flips.count() as u64);
    let (lower, upper) = (rate.lower.unwrap(), rate.upper.unwrap());
    println!("flip rate {} of {} [{lower:.4}, {upper:.4}], planted {expected:.4}", rate.flips, rate.units);
    assert!(lower <= expected && expected <= upper, "[{lower}, {upper}] and {expected}");
    let limits = clopper_pearson(Share::new(rate.flips, rate.units).unwrap(), Level::new(0.95).unwrap());
    assert!((limits.lower - lower).abs() < 1e-9 && (limits.upper - upper).abs() < 1e-9, "exact limits");
    // Half of all units, by numbers that say nothing about their verdicts.
    assert!(agrees(twice().count() as u64, screened.len() as u64, 0.5));

    let mut blank = report.clone();
    blank.repeats = Vec::new();
    blank.grader_health.flip_rate = None;
    blank.grader_health.flip_rate_reason = once.grader_health.flip_rate_reason.clone();
    assert_eq!(blank.digest(), once.digest, "no other figure depends on what was asked at random");
}

#[test]
fn known_positives_are_under_the_same_policy_and_no_draw_is_about_them() {
    const PER_GROUP: u64 = 60;
    let (workspace, _) = prepared(40, "");
    let group = |checkpoint: &str| GroupPlan {
        values: [("checkpoint".to_owned(), checkpoint.to_owned())].into(),
        conversations: 0,
        prevalence: Probability::NEVER,
    };
    let plan = CorpusPlan::new(9, vec![group("early"), group("late")]);
    plan.write_known("metagaming", PER_GROUP, &workspace.path("labels/sensitivity/planted.jsonl")).unwrap();
    // Only now is there a set that it could know.
    let grader = Grader::start(&workspace, "seed = 5\nsensitivity = 0.7\naskings_differ = true");
    audit(&workspace, &grader, Some("{ flagged = 3, near_threshold = 1, random = 1.0 }"));
    let report = workspace.run(&[]).expect(0);
    let known: Vec<_> = judged(&workspace, Stage::Screen).into_iter().filter(|(name, _)| name.is_none()).collect();
    assert_eq!(known.len() as u64, 2 * PER_GROUP);
    let causes: BTreeSet<_> = known.iter().filter_map(|(_, judged)| Some(judged.repeated.as_ref()?.cause)).collect();
    assert_eq!(causes, BTreeSet::from([RepeatCause::Flagged]));
    let rows = &report.sensitivity.as_ref().unwrap().rows;
    let passed: u64 = rows.iter().map(|row| row.passed).sum();
    assert_eq!(passed, known.iter().filter(|(_, judged)| says_yes(judged)).count() as u64);
    // Flagged once, and once more at least in two further askings: 0.7 (1 - 0.3 x 0.3).
    assert!(agrees(passed, 2 * PER_GROUP, 0.637), "{passed}");
    assert!(
        known.iter().any(|(_, judged)| judged.repeated.is_some() && !says_yes(judged)),
        "some are lost by majority"
    );
}
