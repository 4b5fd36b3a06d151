//! `assize report` and `assize status`: a run, seen from what is on disk.

use assize::rehearse::PlantedTurn;
use serde_json::{Value, json};

use crate::support::{Night, Workspace, shape};

const BEHAVIOUR: &str = "prompts/metagaming/behaviour.toml";

#[test]
fn a_report_comes_from_journal_and_labels_alone() {
    let night = Night::new(30);
    let run = night.workspace.run(&["run", "--progress", "none"]).expect(0).stdout;
    let (json, asked) = (night.workspace.read("runs/latest/report.json"), night.requests());
    for gone in ["corpus", "cache", "audit.toml", "runs/latest/report.json"] {
        let path = night.workspace.path(gone);
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.unwrap();
    }
    assert_eq!(night.workspace.run(&["report"]).expect(0).stdout, run);
    let again = night.workspace.run(&["report", "--format", "json"]).expect(0).stdout;
    assert_eq!(again.trim_end(), json.trim_end());
    assert_eq!(night.requests(), asked);
}

#[test]
fn a_run_is_found_by_id_by_folder_and_from_a_folder_below() {
    let night = Night::new(5);
    night.workspace.write(".assize", "assize-workspace 1\n");
    let run = night.workspace.report().json()["run"].as_str().unwrap().to_owned();
    let latest = night.workspace.run(&["report"]).expect(0).stdout;
    assert_eq!(night.workspace.run(&["report", &run]).expect(0).stdout, latest);
    assert_eq!(night.workspace.run(&["report", &format!("runs/{run}")]).expect(0).stdout, latest);
    let below = night.workspace.assize(&["report"]).within(&night.workspace.path("corpus")).run().expect(0);
    assert_eq!(below.stdout, latest);
}

#[test]
fn the_status_of_a_run_that_has_ended() {
    let night = Night::new(30);
    night.workspace.report();
    insta::assert_snapshot!(night.workspace.run(&["status"]).expect(0).shown());
    let mut status = night.workspace.run(&["status", "--format", "json"]).expect(0).json();
    // A session of less than a second has no pace.
    for pace in ["per_second_average", "per_second_now"] {
        assert!(status["progress"].as_object_mut().unwrap().remove(pace).is_some(), "{pace}");
    }
    insta::assert_snapshot!("status_shape", shape(&status, &[]));
}

#[test]
fn the_status_of_a_run_that_goes_on() {
    let night = Night::with(60, "latency_ms = 40", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "max_concurrency = 2");
    let mut running = None;
    night.workspace.assize(&["run"]).run_while(|child| {
        night.screen.wait_for(12);
        running = Some(loop {
            let seen = night.workspace.run(&["status", "--format", "json"]).expect(0).json();
            if seen["progress"]["finished"].as_u64() > Some(0) {
                break (seen, night.workspace.run(&["status"]).expect(0).stdout);
            }
        });
        assert_eq!(running.as_ref().unwrap().0["state"]["pid"], child.id());
        child.kill().unwrap();
    });
    let (json, page) = running.unwrap();
    assert_eq!((&json["state"]["state"], &json["progress"]["phase"]), (&json!("running"), &json!("running")));
    assert!(page.contains("(running: process ") && page.contains(" left") && page.contains("in flight"), "{page}");
    let died = night.workspace.run(&["status", "--watch"]).expect(0).stdout;
    assert!(died.contains("its process died without a word, last seen 20"), "{died}");
    assert!(died.contains("without a known end"), "{died}");
    night.workspace.report();
    let after = night.workspace.run(&["status"]).expect(0).stdout;
    assert!(after.contains("(ended: every planned unit)"), "{after}");
}

#[test]
fn a_status_can_be_watched_to_the_end() {
    let night = Night::with(40, "latency_ms = 20", "");
    let mut lines = None;
    night.workspace.assize(&["run"]).run_while(|_| {
        night.screen.wait_for(1);
        lines = Some(night.workspace.run(&["status", "--watch", "--format", "json"]).expect(0).stdout);
    });
    let lines = lines.unwrap();
    let seen: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(seen.last().unwrap()["state"], json!({"state": "ended", "reason": "finished"}), "{lines}");
    assert_eq!(seen[0]["state"]["state"], json!("running"), "{lines}");
    let pages = || night.workspace.run(&["status"]).expect(0).shown();
    let by_snapshot = pages();
    std::fs::remove_file(night.workspace.path("runs/latest/progress.json")).unwrap();
    let by_journal = pages();
    let without_pace = |page: &str| page.lines().filter(|line| !line.contains("pace")).collect::<Vec<_>>().join("\n");
    assert_eq!(without_pace(&by_snapshot), without_pace(&by_journal), "nothing depends on the snapshot");
}

#[test]
fn what_is_not_there_is_named() {
    let workspace = Workspace::empty();
    let nothing = [workspace.run(&["report"]).expect(2), workspace.run(&["status"]).expect(2)];
    let night = Night::new(2);
    night.workspace.report();
    let wrong = [night.workspace.run(&["report", "20260101T000000Z-0000"]), night.workspace.run(&["status", "none"])];
    let wrong = wrong.map(|ended| ended.expect(2));
    insta::assert_snapshot!(nothing.into_iter().chain(wrong).map(|ended| ended.shown()).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_people_decide_is_read_as_the_scaffold_describes_it() {
    let night = Night::with(60, "sensitivity = 1.0", "sensitivity = 1.0");
    night.workspace.report();
    night.workspace.run(&["init", "elsewhere"]).expect(0);
    let readme = night.workspace.read("elsewhere/labels/README.md");
    let example = readme.lines().find_map(|line| line.strip_prefix("    {")).expect("the README has an example");
    let mut label: Value = serde_json::from_str(&format!("{{{example}")).unwrap();
    let truth = night.workspace.read("truth.jsonl");
    let planted = truth.lines().map(|line| serde_json::from_str::<PlantedTurn>(line).unwrap());
    let yes: Vec<_> = planted.filter(|turn| turn.present).collect();
    let lines = yes.iter().map(|turn| {
        label["unit"] = turn.unit.clone().into();
        label["group"] = json!([turn.group["checkpoint"]]);
        format!("{label}\n")
    });
    night.workspace.write("labels/ana.jsonl", lines.collect::<String>());
    let asked = night.requests();
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    assert_eq!(report["funnel"]["confirmed_by"]["people"], json!(yes.len()));
    assert_eq!(night.requests(), asked);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let night = Night::new(2);
    night.workspace.report();
    let ended = night.workspace.assize(&["report"]).run_while(|child| drop(child.stdout.take()));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn two_definitions_on_the_same_units_stand_beside_each_other() {
    let night = Night::new(60);
    let first = night.workspace.report().json();
    let run = first["run"].as_str().unwrap().to_owned();
    let asked = night.requests();
    night.workspace.edit("audit.toml", "name = \"metagaming\"", "name = \"metagaming\"\ndefinition = \"strict\"");
    let second = night.workspace.report().json();
    assert_eq!(night.requests(), asked, "another definition asks nothing");
    let beside = |format: &[&str]| {
        let words = [&["report", "latest", "--beside", &run], format].concat();
        night.workspace.run(&words)
    };
    let open = second["funnel"]["pending"].as_u64().unwrap();
    if open > 0 {
        assert!(beside(&[]).expect(2).stderr.contains("await a decision"));
        return;
    }
    let json: Value = serde_json::from_str(&beside(&["--format", "json"]).expect(0).stdout).unwrap();
    let number = |name: &str| json[name].as_u64().unwrap();
    assert_eq!(number("units"), number("both") + number("first_only") + number("second_only") + number("neither"));
    // Whatever the strict definition counts, the other one counts as well.
    assert_eq!(number("first_only"), 0);
    assert_eq!(number("both") + number("second_only"), first["funnel"]["confirmed"].as_u64().unwrap());
    assert!(beside(&[]).expect(0).stdout.contains("that both runs graded"));
}

#[test]
fn a_run_is_counted_by_every_definition_and_threshold_at_once() {
    let night = Night::with(60, "sensitivity = 0.9\nspecificity = 0.9\nsuspected_share = 0.2", "specificity = 0.8");
    let report = night.workspace.report().json();
    let asked = night.requests();
    let shown = night.workspace.run(&["report", "latest", "--definitions"]).expect(0);
    insta::assert_snapshot!(shown.shown());
    let found = night.workspace.run(&["report", "--definitions", "--format", "json"]).expect(0).json();
    insta::assert_snapshot!("definitions_shape", shape(&found, &[".group"]));
    assert_eq!(night.requests(), asked, "nothing is asked");
    let rows = found["rows"].as_array().unwrap();
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name}: {row}"));
    for row in rows {
        let parts = ["pending", "disputed", "rejected", "confirmed"].map(|name| number(row, name));
        assert_eq!(number(row, "flagged"), parts.iter().sum::<u64>(), "{row}");
    }
    let own = &rows[0];
    for figure in ["flagged", "pending", "rejected", "confirmed", "ungraded"] {
        assert_eq!(own[figure], report["funnel"][figure], "{figure}");
    }
    let of = |rule: &str| rows.iter().filter(|row| row["rule"] == rule).collect::<Vec<_>>();
    let by_score = of("score");
    assert!(by_score.len() >= 9 && !of("threshold").is_empty());
    assert!(by_score.windows(2).all(|pair| number(pair[0], "flagged") >= number(pair[1], "flagged")));
    // Low scores flag what the screen cleared, and nobody asked a second grader about it.
    assert!(number(by_score[0], "flagged") > number(own, "flagged"), "{found}");
    assert_eq!(number(by_score[0], "confirmed"), number(own, "confirmed"), "newly flagged units are pending");
    // What is counted under another definition is what an audit by that definition reports.
    night.workspace.edit("audit.toml", "name = \"metagaming\"", "name = \"metagaming\"\ndefinition = \"strict\"");
    let strict = night.workspace.report().json();
    let counted = of("counted").into_iter().find(|row| row["definition"] == "strict").unwrap();
    for figure in ["flagged", "pending", "rejected", "confirmed"] {
        assert_eq!(counted[figure], strict["funnel"][figure], "{figure}");
    }
    assert!(number(counted, "confirmed") < number(own, "confirmed"), "{found}");
}

#[test]
fn a_definition_over_a_field_that_was_not_asked_is_refused_in_its_own_row() {
    let night = Night::with(60, "sensitivity = 0.9\nspecificity = 0.9", "");
    let report = night.workspace.report().json();
    night.workspace.copy_behaviour("metagaming");
    let field = "[[fields]]\nid = \"reach\"\ndescription = \"How far it goes.\"\nvalues = [\"near\", \"far\"]\n";
    let far = "[definitions.far]\ndescription = \"As strict, and far.\"\nexpression = 'verdict == \"present\" and fields.reach == \"far\"'\n";
    night.workspace.edit(BEHAVIOUR, "[definitions.screen]", &format!("{field}\n{far}\n[definitions.screen]"));
    let found = night.workspace.run(&["report", "--definitions", "--format", "json"]).expect(0).json();
    let (refused, others): (Vec<_>, Vec<_>) =
        found["rows"].as_array().unwrap().iter().cloned().partition(|row| row["reason"].is_string());
    assert_eq!((&others[0]["rule"], &others[0]["confirmed"]), (&json!("own"), &report["funnel"]["confirmed"]));
    let rules: Vec<_> = refused.iter().map(|row| (&row["rule"], &row["definition"])).collect();
    assert_eq!(rules, [(&json!("counted"), &json!("far")), (&json!("flagged"), &json!("far"))]);
    for row in &refused {
        assert!(row["flagged"].is_null() && row["confirmed"].is_null() && row["floor"].is_null(), "{row}");
    }
    insta::assert_snapshot!(night.workspace.run(&["report", "--definitions"]).expect(0).shown());
    night.workspace.edit(BEHAVIOUR, "verdict in [\"present\", \"suspected\"]", "fields.reach == \"far\"");
    let own = night.workspace.run(&["report", "--definitions", "--format", "json"]).expect(0).json();
    assert!(own["rows"][0]["reason"].as_str().unwrap().starts_with("definition `screen`"), "{own}");
    assert_eq!((&own["audit"], &own["unit"], &own["level"]), (&found["audit"], &found["unit"], &found["level"]));
}

#[test]
fn other_rules_say_what_the_report_warns_of_and_estimate_nothing_of_what_was_never_asked() {
    let night = Night::with(40, "specificity = 0.9", "");
    // The gate is both graders: what the second one turned down is not read.
    night.workspace.edit("audit.toml", "[budget]", "[review]\nconfirm_no = 0\n\n[budget]");
    let own = night.workspace.report().json();
    let labels: String = own["confirmed_units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| {
            json!({"unit": unit["unit"], "group": unit["group"].as_object().unwrap().values().collect::<Vec<_>>(),
                   "decision": "yes", "seat": "ana", "behaviour": "metagaming", "at": "2026-11-24T10:00:00Z"})
            .to_string()
                + "\n"
        })
        .collect();
    night.workspace.write("labels/ana.jsonl", labels);
    let table = || night.workspace.run(&["report", "--definitions", "--format", "json"]).expect(0).json();
    let of = |table: &Value, wanted: Value| -> Value {
        table["rows"].as_array().unwrap().iter().find(|row| row["score"] == wanted).unwrap().clone()
    };
    let now = table();
    assert!(now["rows"][0]["catchable"]["estimate"].is_number(), "{}", now["rows"][0]);
    let wide = of(&now, json!(10));
    assert!(wide["flagged"].as_u64() > own["funnel"]["flagged"].as_u64(), "{wide}");
    assert!(wide["catchable"]["estimate"].is_null() && wide["corrected"]["estimate"].is_null(), "{wide}");
    let reason = wide["catchable"]["reason"].as_str().unwrap();
    assert!(reason.contains("were not flagged by the run's own"), "{reason}");

    night.workspace.copy_behaviour("metagaming");
    night.workspace.edit("prompts/metagaming/behaviour.toml", "threshold = 50", "threshold = 60");
    let shown = night.workspace.run(&["report", "--definitions"]).expect(0).stdout;
    assert!(shown.contains("as they are now") && !shown.contains("as reported"), "{shown}");
    assert!(shown.contains("has other labels, definitions or another threshold now"), "{shown}");
    assert_eq!(table()["behaviour_changed"], json!(true));
}
