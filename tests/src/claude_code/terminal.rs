//! Claude Code in a terminal, whose screen can be read as text.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Mutex},
    thread,
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::ClaudeCode;
use crate::waiting;

/// High, so that a whole conversation fits in.
const ROWS: NonZeroU16 = NonZeroU16::new(120).expect("not zero");
const COLUMNS: NonZeroU16 = NonZeroU16::new(160).expect("not zero");
/// What stands below the empty input of a new session.
const READY: &str = "? for shortcuts";

/// A key that is not a character.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// Ends a line.
    Enter,
    /// Interrupts, closes a dialog.
    Escape,
    /// Chooses the next one.
    Down,
    /// Chooses the one before.
    Up,
    /// Completes.
    Tab,
    /// Interrupts; twice it ends Claude Code.
    ControlC,
    /// Shows more.
    ControlO,
    /// Empties the line.
    ControlU,
}

impl Key {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Enter => b"\r",
            Self::Escape => b"\x1b",
            Self::Down => b"\x1b[B",
            Self::Up => b"\x1b[A",
            Self::Tab => b"\t",
            Self::ControlC => b"\x03",
            Self::ControlO => b"\x0f",
            Self::ControlU => b"\x15",
        }
    }
}

type Screen = Arc<Mutex<vt100::Parser>>;

/// An open terminal with Claude Code in it; it is killed when this is dropped.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    input: Box<dyn Write + Send>,
    screen: Screen,
    // The terminal is open as long as this is.
    _master: Box<dyn MasterPty + Send>,
}

impl ClaudeCode {
    /// Opens a terminal with Claude Code in it and waits until a line can be typed.
    ///
    /// # Panics
    /// If it does not come up; the message has the screen.
    pub async fn terminal(&self, arguments: &[&str]) -> Terminal {
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), ..PtySize::default() };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let child = pair.slave.spawn_command(self.command(arguments)).expect("Claude Code starts");
        let input = pair.master.take_writer().expect("its input");
        let screen = drawn(pair.master.try_clone_reader().expect("its output"));
        let terminal = Terminal { child, input, screen, _master: pair.master };
        terminal.until(READY).await;
        terminal
    }

    fn command(&self, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(&self.program);
        command.args(arguments);
        command.cwd(self.project());
        command.env_clear();
        self.variables.iter().for_each(|(name, value)| command.env(name, value));
        command
    }
}

/// Draws what is printed, until the end.
fn drawn(mut output: Box<dyn Read + Send>) -> Screen {
    let screen = Screen::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let drawn = Arc::clone(&screen);
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(read) = output.read(&mut bytes)
            && read > 0
        {
            drawn.lock().expect("no reader panics").process(&bytes[..read]);
        }
    });
    screen
}

impl Terminal {
    /// What the screen shows, without empty lines.
    ///
    /// # Panics
    /// If the screen cannot be drawn.
    #[must_use]
    pub fn screen(&self) -> String {
        let contents = self.screen.lock().expect("no reader panics").screen().contents();
        contents.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Types a text, waits until it is on the screen, and ends the line.
    ///
    /// # Panics
    /// If the text does not appear.
    pub async fn type_line(&mut self, text: &str) {
        let before = self.shown(text);
        self.send(text.as_bytes());
        self.wait(&format!("{text} once more"), |terminal| terminal.shown(text) > before).await;
        self.key(Key::Enter);
    }

    /// Presses a key.
    ///
    /// # Panics
    /// If the terminal is closed.
    pub fn key(&mut self, key: Key) {
        self.send(key.bytes());
    }

    /// Waits until the screen shows a text. Line breaks and indents of the screen do not count.
    ///
    /// # Panics
    /// If it does not within the limit; the message has the screen.
    pub async fn until(&self, text: &str) {
        self.wait(text, |terminal| terminal.shown(text) > 0).await;
    }

    /// Waits until Claude Code has ended.
    ///
    /// # Panics
    /// If it does not within the limit.
    pub async fn ended(&mut self) {
        waiting::until_true("the end of Claude Code", || {
            std::future::ready(self.child.try_wait().expect("a status").is_some())
        })
        .await;
    }

    async fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let probe = || std::future::ready(holds(self).then_some(()));
        waiting::until_or_say(waiting::LIMIT, probe, || format!("{what}; the screen:\n{}", self.screen())).await;
    }

    /// How often the screen shows a text.
    fn shown(&self, text: &str) -> usize {
        without_spaces(&self.screen()).matches(&without_spaces(text)).count()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).and_then(|()| self.input.flush()).expect("typed");
    }
}

/// A word may stand on two lines.
fn without_spaces(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
