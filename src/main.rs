//! Parses, calls the library, returns an exit code.

fn main() -> std::process::ExitCode {
    assize::cli::main(std::env::args_os())
}
