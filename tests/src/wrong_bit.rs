//! A wrong bit in an index of a SQLite file, as a disk or memory may have it: SQLite itself notices it only if it is asked
//! to compare each index with its table.

use std::{path::Path, process::Command};

/// Prints where the first page of an index begins and where it ends.
const PAGE: &str = "import sqlite3, sys\n\
    c = sqlite3.connect(sys.argv[1])\n\
    size, = c.execute('PRAGMA page_size').fetchone()\n\
    page, = c.execute('SELECT rootpage FROM sqlite_master WHERE name = ?', sys.argv[2:]).fetchone()\n\
    c.close()\n\
    print((page - 1) * size, page * size)";

/// Changes a bit of the first key of an index that has this text, in a file that nobody has open. The index has few keys:
/// all are on its first page.
///
/// # Panics
/// If the index has no such key, or Python is missing.
pub fn in_index(file: &Path, index: &str, text: &str) {
    let output = Command::new("python3").args(["-c", PAGE]).arg(file).arg(index).output();
    let output = output.expect("python3 runs (Debian's package python3)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    let bounds: Vec<usize> = printed.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    let [from, to] = bounds[..] else { panic!("two numbers: {printed}") };
    let mut bytes = std::fs::read(file).expect("the file");
    let found = bytes[from..to].windows(text.len()).position(|window| window == text.as_bytes());
    // The lowest but two: a letter stays one.
    bytes[from + found.expect("a key with this text")] ^= 0b100;
    std::fs::write(file, bytes).expect("written");
}
