//! What keeps the key within this process: no core dump of it is written, and no other program of the user reads its memory or
//! the environment that it was started with.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Shuts the process, before it has read the key. What the system does not allow is left as it is: there is nothing that a
/// person could do about it, and the key is used all the same.
pub fn shut() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // Children may know the key, too (the command that prints it does), so they inherit this.
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
