//! Inputs of several parts.

use serde_json::{Map, Value};

/// The texts of an input of two: they are separated by the first NUL. None: it is not text.
pub fn two_texts(input: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(input).ok()?;
    Some(text.split_once('\0').unwrap_or((text, "")))
}

/// A JSON object; none: the text is none.
pub fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// Runs work on a thread with the stack that the programs give it.
pub fn with_a_large_stack(work: impl FnOnce() + Send) {
    const BYTES: usize = 64 * 1024 * 1024;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(BYTES).spawn_scoped(scope, work).expect("a thread starts");
        // The panic was printed where it happened.
        thread.join().expect("what holds for every input holds for this one");
    });
}
