//! Writes what comes within a moment together: under load, to wake a thread and to call the system for each line costs more
//! than the line itself.

use std::{
    io::{ErrorKind, Result, Write},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

/// Pause after each write: lines that come meanwhile wait so long at most. The first after a while is written at once.
const PAUSE: Duration = Duration::from_millis(5);
/// Lines that are written together, in bytes.
const TOGETHER_MAX_BYTES: usize = 64 * 1024;

/// For the thread that writes the log, and for no other: [`Write::flush`] has it sleep.
pub(super) struct Paced<W> {
    output: W,
    lines: Vec<u8>,
    /// Lines that could not be written, a part of a line included.
    lost: &'static AtomicU64,
}

impl<W: Write> Paced<W> {
    pub(super) fn new(output: W, lost: &'static AtomicU64) -> Self {
        Self { output, lines: vec![], lost }
    }

    /// What cannot be written is lost, and counted: nobody reads it, and the thread must notice its end all the same.
    fn write_out(&mut self) {
        let lost = unwritten(&mut self.output, &self.lines).iter().filter(|byte| **byte == b'\n').count();
        self.lost.fetch_add(lost as u64, Ordering::Relaxed);
        self.lines.clear();
    }
}

/// What is left of bytes when nothing more can be written.
fn unwritten<'b>(output: &mut impl Write, mut bytes: &'b [u8]) -> &'b [u8] {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => break,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    bytes
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.lines.extend_from_slice(bytes);
        if self.lines.len() >= TOGETHER_MAX_BYTES {
            self.write_out();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.lines.is_empty() {
            self.write_out();
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Each write by itself.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            self.0.lock().expect("not poisoned").push(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_together_when_they_are_flushed_and_each_once() {
        static LOST: AtomicU64 = AtomicU64::new(0);
        let writes = Writes::default();
        let mut paced = Paced::new(writes.clone(), &LOST);
        for lines in [&["one\n", "two\n"][..], &["three\n"], &[]] {
            lines.iter().for_each(|line| paced.write_all(line.as_bytes()).expect("written"));
            paced.flush().expect("flushed");
        }
        assert_eq!(*writes.0.lock().expect("not poisoned"), ["one\ntwo\n", "three\n"]);
        assert_eq!(LOST.load(Ordering::Relaxed), 0);
    }

    /// Takes so many bytes and then nothing, as a pipe whose reader is gone or a disk that is full.
    struct Broken(usize);

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let taken = bytes.len().min(std::mem::take(&mut self.0));
            if taken == 0 { Err(ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_neither_kept_nor_an_error_and_are_counted() {
        static LOST: AtomicU64 = AtomicU64::new(0);
        // The first line, and a part of the second.
        let mut paced = Paced::new(Broken(6), &LOST);
        for (lines, lost) in [("one\ntwo\nthree\n", 2), ("four\n", 3)] {
            paced.write_all(lines.as_bytes()).expect("taken");
            paced.flush().expect("lost");
            assert!(paced.lines.is_empty());
            assert_eq!(LOST.load(Ordering::Relaxed), lost, "{lines}");
        }
    }
}
