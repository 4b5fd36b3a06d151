//! A whole audit, ready to run: a workspace with planted truth and one server per stage.

use super::{Grader, Workspace, plan, profile};

/// A workspace and its graders. The screen and the confirmer are served apart, so that requests count by stage.
pub(crate) struct Night {
    pub(crate) workspace: Workspace,
    pub(crate) screen: Grader,
    pub(crate) confirm: Grader,
}

impl Night {
    /// A night over two checkpoints with this many conversations each, and graders without faults.
    pub(crate) fn new(conversations: u64) -> Self {
        Self::with(conversations, "", "")
    }

    /// The same with these lines in the graders' profiles.
    pub(crate) fn with(conversations: u64, screen: &str, confirm: &str) -> Self {
        let workspace = Workspace::planted(&plan(conversations));
        let truth = workspace.path("truth.jsonl");
        let (screen, confirm) = (Grader::start(&profile(&truth, screen)), Grader::start(&profile(&truth, confirm)));
        workspace.audit(&screen, &confirm);
        Self { workspace, screen, confirm }
    }

    /// The same with this many known positives of each group in `known.jsonl`, which the graders know.
    pub(crate) fn knowing(conversations: u64, known: u64, screen: &str, confirm: &str) -> Self {
        let workspace = Workspace::planted(&plan(conversations));
        let (truth, file) = (workspace.path("truth.jsonl"), workspace.path("known.jsonl"));
        plan(conversations).write_known("metagaming", known, &file).unwrap();
        let start = |lines: &str| {
            let mut settings = profile(&truth, lines);
            settings.known = Some(file.clone());
            Grader::start(&settings)
        };
        let (screen, confirm) = (start(screen), start(confirm));
        workspace.audit(&screen, &confirm);
        Self { workspace, screen, confirm }
    }

    /// Requests that each stage's server has received.
    pub(crate) fn requests(&self) -> (u64, u64) {
        (self.screen.requests(), self.confirm.requests())
    }
}
