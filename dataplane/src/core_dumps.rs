//! No core dumps: the memory of this program holds tokens, keys, prompts and answers.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Largest core dump, in bytes. With 0, Linux would still hand one to a program that collects them; with 1 it neither writes
/// nor hands over any.
const MAX_BYTES: u64 = 1;

/// Forbids core dumps of this process, and of those that it starts.
pub fn forbid() {
    let most = getrlimit(Resource::Core).maximum.map_or(MAX_BYTES, |most| most.min(MAX_BYTES));
    // No limit is raised, so this needs no right.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(most), maximum: Some(most) });
}
