//! The sensitivity set of a workspace: known positives that turn what a funnel catches into how much there is.
//!
//! `labels/sensitivity/*.jsonl` is the set, `queue/` under it holds blind draws for people to read, `read/` what they
//! decided, without text. `select` is what a run grades of it; the other modules are what `assize sensitivity` does.
//! No item may come from the audited sample, and none may have been found through a grader's flag.

mod draw;
mod error;
mod files;
mod host;
mod import;
mod plant;
mod queue;
mod sample;
mod select;
mod status;

pub use draw::{DrawRequest, Drawn, draw};
pub use error::SensitivityError;
pub(super) use files::for_each_item;
pub use import::{ImportRequest, Imported, Refused, import};
pub use plant::{PlantRequest, Planted, plant};
pub(super) use select::{Selection, select};
pub use status::{GroupStatus, ReadCount, RowStatus, Status, status};
