//! The log of the data plane, read as a collector of logs would and thrown away: half an hour has a third of a million
//! decisions, which no disk need keep for this.

use std::{
    io::{BufRead, BufReader, PipeWriter, pipe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tests::program::DECIDED;

/// How many lines were read.
#[derive(Default)]
pub struct Log {
    lines: AtomicU64,
    decisions: AtomicU64,
}

impl Log {
    /// A log, and where a program writes it.
    pub fn begin() -> (Arc<Self>, PipeWriter) {
        let (reader, writer) = pipe().expect("a pipe");
        let log = Arc::new(Self::default());
        let read = Arc::clone(&log);
        // It ends with the program.
        thread::spawn(move || {
            BufReader::new(reader).split(b'\n').map_while(Result::ok).for_each(|line| read.count(&line));
        });
        (log, writer)
    }

    fn count(&self, line: &[u8]) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        if String::from_utf8_lossy(line).contains(DECIDED) {
            self.decisions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How much it has, in words.
    pub fn said(&self) -> String {
        let [lines, decisions] = [&self.lines, &self.decisions].map(|count| count.load(Ordering::Relaxed));
        format!("log: {lines} lines, {decisions} of them decisions; read and thrown away")
    }
}
