//! Writes what comes within a moment together: under load, to wake a thread and to call the system for each line costs more
//! than the line itself.

use std::{
    io::{Result, Write},
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
}

impl<W: Write> Paced<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, lines: vec![] }
    }

    /// What cannot be written is lost: nobody reads it, and the thread must notice its end all the same.
    fn write_out(&mut self) {
        let _ = self.output.write_all(&self.lines);
        self.lines.clear();
    }
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
        let writes = Writes::default();
        let mut paced = Paced::new(writes.clone());
        for lines in [&["one\n", "two\n"][..], &["three\n"], &[]] {
            lines.iter().for_each(|line| paced.write_all(line.as_bytes()).expect("written"));
            paced.flush().expect("flushed");
        }
        assert_eq!(*writes.0.lock().expect("not poisoned"), ["one\ntwo\n", "three\n"]);
    }

    /// Takes nothing, as a pipe whose reader is gone.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_neither_kept_nor_an_error() {
        let mut paced = Paced::new(Broken);
        paced.write_all(b"one\n").expect("taken");
        paced.flush().expect("lost");
        assert!(paced.lines.is_empty());
    }
}
