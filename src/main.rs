//! Parses, calls the library, returns an exit code.

// Many threads allocate and free buffers of all sizes; the system's allocator fragments under that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    assize::cli::main(std::env::args_os())
}
