//! Parses, calls the library, returns an exit code.

/// Conversations are read on one thread and freed on another, in every size: the system's allocator keeps twice what is
/// in use for that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    assize::cli::main(std::env::args_os())
}
