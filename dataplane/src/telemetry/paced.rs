//! Writes what comes within a moment together: under load, to wake a thread and to call the system for each line costs more
//! than the line itself.

use std::{
    io::{BufWriter, Result, Write},
    thread,
    time::Duration,
};

/// Pause after each write: lines that come meanwhile wait so long at most. The first after a while is written at once.
const PAUSE: Duration = Duration::from_millis(5);
/// Lines that are written together, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// For the thread that writes the log alone: [`Write::flush`] keeps it.
pub(super) struct Paced<W: Write> {
    output: BufWriter<W>,
    written: bool,
}

impl<W: Write> Paced<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output: BufWriter::with_capacity(BUFFER_BYTES, output), written: false }
    }
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.written = true;
        self.output.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        let flushed = self.output.flush();
        if std::mem::take(&mut self.written) {
            thread::sleep(PAUSE);
        }
        flushed
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
}
