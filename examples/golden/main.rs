//! Checks files of reference values, figure by figure, against the library.
//!
//! ```text
//! cargo run --release --example golden -- FILE...
//! ```
//!
//! A file holds a method, a tolerance, and cases with inputs and expected figures. Every method of the library has an
//! entry in `checker/methods`, and so have the methods that the coverage bench sets beside it. Exits with 1 if a figure
//! is wrong, a method unknown or a file unreadable. A figure that nothing here computes is listed and never counts as
//! passed; so is a figure that is known to be wrong in the file, or that the library refuses (`checker/tolerances.rs`).

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

mod checker;

use checker::{Checked, check};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut out = stdout().lock();
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        let names: Vec<_> = checker::methods::names().collect();
        writeln!(out, "usage: golden FILE...\nmethods: {}", names.join(", "))?;
        return Ok(ExitCode::FAILURE);
    }
    let mut all_passed = true;
    for file in &files {
        let path = Path::new(file);
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("failed to read `{}`: {error}", path.display()))?;
        let checked = check(&text).map_err(|error| format!("failed to check `{}`: {error}", path.display()))?;
        all_passed &= checked.passed();
        print(&mut out, &checked)?;
    }
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(out: &mut impl Write, checked: &Checked) -> std::io::Result<()> {
    write!(out, "{}", checked.sentence())?;
    for failure in &checked.failures {
        write!(out, "\n    {failure}")?;
    }
    for exception in &checked.exceptions {
        write!(out, "\n    exception: {exception}")?;
    }
    if !checked.not_computed.is_empty() {
        let names: Vec<_> = checked.not_computed.iter().map(String::as_str).collect();
        write!(out, "\n    not computed: {}", names.join(", "))?;
    }
    writeln!(out)
}
