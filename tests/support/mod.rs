//! What integration tests share: a temporary workspace with planted truth, the simulated grader as a server of the
//! test's own process, and the real binary as a child process. Nothing here decides what is right.

mod corpus;
mod ended;
mod grader;
mod night;
mod workspace;

pub(crate) use corpus::{conversation, line, plan};
pub(crate) use ended::{Ended, shape};
pub(crate) use grader::{Grader, http_get, profile};
pub(crate) use night::Night;
pub(crate) use workspace::Workspace;
