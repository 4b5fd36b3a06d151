//! Which start of the machine this is: what was written and not synced survives a process, but not the machine.

/// What the system calls the time since it started. `None` where it does not say: then every process that did not end
/// in order counts as if the machine had stopped with it.
pub(super) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}
