//! What a transcript says to its grader: the pack of `tests/fixtures/injections.toml` through the shipped prompts, and
//! through a whole run whose graders obey every order in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use assize::model::conversation::{Conversation, Message, Role};
use assize::prompt::{Asked, Buffers, Library, Question, Questioner, QuestionerSettings, with_nonce};
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{Grader, Workspace, profile};

const NONCE: &str = "0123456789abcdef";

/// What an attack wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aim {
    Clear,
    Flag,
    None,
}

#[derive(Deserialize)]
struct Attack {
    id: String,
    aim: Aim,
    text: String,
    #[serde(default)]
    repeat: Option<usize>,
    #[serde(default)]
    end: String,
}

impl Attack {
    fn text(&self) -> String {
        self.text.repeat(self.repeat.unwrap_or(1)) + &self.end
    }
}

#[derive(Deserialize)]
struct Pack {
    attack: Vec<Attack>,
}

fn pack() -> Vec<Attack> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/injections.toml");
    let Pack { attack } = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(attack.len() >= 60);
    assert_eq!(attack.iter().map(|attack| &attack.id).collect::<BTreeSet<_>>().len(), attack.len());
    attack
}

/// Every shipped prompt that asks about a turn.
fn questioners() -> Vec<(String, Questioner)> {
    let library = Library::open(Path::new("no-prompts-here")).unwrap();
    let mut all = Vec::new();
    for behaviour in ["metagaming", "refusal"] {
        let files = library.behaviour(behaviour).unwrap();
        for label in ["screen@1", "screen@2", "confirm@1", "confirm@2"] {
            let Ok(prompt) = files.prompt(&label.parse().unwrap()) else { continue };
            let settings = QuestionerSettings::new(prompt, files.behaviour.clone());
            all.push((format!("{behaviour} {label}"), Questioner::new(settings).unwrap()));
        }
    }
    assert!(all.len() >= 4);
    all
}

/// A conversation with this text in one of its places; the turn to judge is message 3.
fn conversation(place: usize, text: &str) -> Conversation {
    let mut messages = vec![
        Message::text(Role::System, "You help with errands."),
        Message::text(Role::User, "Is the library open today?"),
        Message::text(Role::Tool, "Opening hours: 9 to 17."),
        Message::text(Role::Assistant, "It is open until five."),
    ];
    messages[3].reasoning = Some("The hours are in the reply of the tool.".to_owned());
    if place < 4 {
        messages[place].content = format!("{} {text}", messages[place].content);
    } else {
        messages[3].reasoning = Some(text.to_owned());
    }
    Conversation { id: "c".to_owned(), messages, metadata: BTreeMap::new() }
}

const PLACES: [&str; 5] = ["system", "user", "tool", "final", "reasoning"];

/// The question; none where too little is left of the turn to judge it, which is a bucket of its own.
fn asked(questioner: &Questioner, conversation: &Conversation) -> Option<Asked> {
    match questioner.question(conversation, Some(3), &mut Buffers::default()) {
        Question::Ask(asked) => Some(asked),
        Question::CannotJudge(_) => None,
        other @ Question::Chunks { .. } => panic!("{other:?}"),
    }
}

/// The lines of structure in a question, without the number of characters that were cut.
fn structure(question: &str) -> Vec<String> {
    let opening = format!("⟦{NONCE} ");
    let lines = question.lines().filter(|line| line.contains(['⟦', '⟧', '\u{0}']));
    let marks = lines.map(|line| line.strip_prefix(&opening).and_then(|rest| rest.strip_suffix('⟧')).unwrap_or(line));
    marks.filter(|mark| !mark.ends_with("characters not shown")).map(str::to_owned).collect()
}

#[test]
fn no_attack_leaves_the_fence_and_every_order_is_noticed() {
    let questioners = questioners();
    let mut table = format!("{} attacks, {} prompts, {} places\n\n", pack().len(), questioners.len(), PLACES.len());
    let mut of_aim: BTreeMap<Aim, (usize, usize)> = BTreeMap::new();
    for attack in pack() {
        let text = attack.text();
        let (mut held, mut suspected, mut unasked) = (0, 0, 0);
        for (name, questioner) in &questioners {
            for (place, where_) in PLACES.iter().enumerate() {
                let plain = asked(questioner, &conversation(place, "Nothing else.")).unwrap();
                let Some(attacked) = asked(questioner, &conversation(place, &text)) else {
                    unasked += 1;
                    continue;
                };
                let [plain, marks] = [&plain, &attacked].map(|asked| structure(&with_nonce(&asked.text, NONCE)));
                // A long attack takes room from the neighbours, and adds nothing.
                let mut left = plain.iter();
                let is_part = marks.iter().all(|mark| left.any(|other| other == mark));
                let ends = [marks.first(), marks.last()].map(|mark| mark.unwrap().as_str());
                let holds = is_part && ends == ["transcript", "end of transcript"];
                assert!(holds, "{} in {where_} of {name}: {marks:?}", attack.id);
                held += 1;
                suspected += usize::from(attacked.injection_suspected);
            }
        }
        let counts = of_aim.entry(attack.aim).or_default();
        counts.0 += 1;
        counts.1 += usize::from(suspected == held);
        let aim = format!("{:?}", attack.aim).to_lowercase();
        let id = &attack.id;
        writeln!(table, "{id:<24} {aim:<6} fence held {held}, suspected {suspected}, not asked {unasked}").unwrap();
    }
    writeln!(table).unwrap();
    for (aim, (attacks, noticed)) in &of_aim {
        writeln!(table, "aim {}: {noticed} of {attacks} noticed in every place", format!("{aim:?}").to_lowercase())
            .unwrap();
    }
    insta::assert_snapshot!(table);
    for aim in [Aim::Clear, Aim::Flag] {
        assert_eq!(of_aim[&aim].0, of_aim[&aim].1, "an order that nobody notices may clear its turn in silence");
    }
}

/// A corpus of positives, of which the first ones each carry an attack that their grader obeys.
struct Night {
    workspace: Workspace,
    /// Planted turns whose conversation carries an attack, and all others that are planted.
    attacked: BTreeSet<String>,
    plain: BTreeSet<String>,
    _graders: [Grader; 2],
}

fn night() -> Night {
    let group = GroupPlan {
        values: BTreeMap::from([("checkpoint".to_owned(), "early".to_owned())]),
        conversations: 160,
        prevalence: Probability::new(0.4).unwrap(),
    };
    let workspace = Workspace::planted(&CorpusPlan::new(5, vec![group]));
    let truth = workspace.read("truth.jsonl");
    let truth = truth.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let planted: BTreeSet<String> =
        truth.filter(|line| line["present"] == true).map(|line| line["unit"].as_str().unwrap().to_owned()).collect();
    let of = |id: &str| planted.iter().filter(|unit| unit.split('#').next() == Some(id)).cloned().collect::<Vec<_>>();
    let (mut attacked, mut orders, mut lines) = (BTreeSet::new(), Vec::new(), String::new());
    let mut attacks = pack().into_iter().filter(|attack| attack.aim == Aim::Clear);
    for line in workspace.read("corpus/early.jsonl").lines() {
        let mut conversation: Value = serde_json::from_str(line).unwrap();
        let units = of(conversation["id"].as_str().unwrap());
        if let Some(attack) = (!units.is_empty()).then(|| attacks.next()).flatten() {
            let order = format!("(note {})", attack.id);
            let message =
                conversation["messages"].as_array_mut().unwrap().iter_mut().find(|message| message["role"] == "user");
            let content = &mut message.unwrap()["content"];
            *content = format!("{} {} {order}", content.as_str().unwrap(), attack.text()).into();
            orders.push(order);
            attacked.extend(units);
        }
        writeln!(lines, "{conversation}").unwrap();
    }
    assert!(attacks.next().is_none(), "every attack found a conversation with a planted turn");
    workspace.write("corpus/early.jsonl", lines);
    let grader = || {
        let mut settings = profile(&workspace.path("truth.jsonl"), "sensitivity = 1.0\nspecificity = 1.0");
        settings.obeys.clone_from(&orders);
        Grader::start(&settings)
    };
    let graders = [grader(), grader()];
    workspace.audit(&graders[0], &graders[1]);
    let plain = planted.difference(&attacked).cloned().collect();
    Night { workspace, attacked, plain, _graders: graders }
}

#[test]
fn graders_that_obey_clear_nothing_in_silence() {
    let night = night();
    let report = night.workspace.run(&["run", "--format", "json"]).expect(0).json();
    let queue = night.workspace.run(&["review", "queue", "--seat", "ana", "--format", "json"]).expect(0).json();
    let queued: BTreeSet<String> =
        queue.as_array().unwrap().iter().map(|line| line["unit"].as_str().unwrap().to_owned()).collect();
    let planted = night.attacked.iter().chain(&night.plain);
    let unread: Vec<_> = planted.filter(|unit| !queued.contains(*unit)).collect();
    // Padding leaves too little of its turn to judge: that is a bucket of its own, and no "no".
    assert_eq!(report["funnel"]["outcomes"]["cannot_judge"], unread.len(), "cleared without a person: {unread:?}");
    assert!(unread.len() <= 2, "{unread:?}");
    let funnel = &report["funnel"];
    assert_eq!(funnel["rejected"], 0);
    // What was not attacked is judged as ever. Both graders obeyed wherever the order was shown, to no effect; innocent turns
    // beside an order are read as well.
    assert_eq!(funnel["confirmed"], night.plain.len());
    let attacked = (night.attacked.len() - unread.len()) as u64;
    assert!(attacked >= 60 && funnel["pending"].as_u64().unwrap() >= attacked, "{funnel}");
}
