//! Commands of pages, with what the pages say that they print, and a terminal that runs them as they are printed there.

mod terminal;

pub use terminal::{InBackground, Terminal};

use crate::checkout;

/// The console blocks of a section of a page, without their indentation.
///
/// # Panics
/// If there is no such page or section.
#[must_use]
pub fn blocks(page: &str, section: &str) -> Vec<String> {
    code_blocks(page, section, "console")
}

/// The blocks of a section of a page in some language, without their indentation.
///
/// # Panics
/// If there is no such page or section.
#[must_use]
pub fn code_blocks(page: &str, section: &str, language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join(page)).expect("the page");
    let section = page.split(section).nth(1).expect("the section").split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let blocks = section.split(fence.as_str()).skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let unindented = |block: &str| {
        let indent = block.len() - block.trim_start_matches(' ').len();
        block.lines().map(|line| line.get(indent..).unwrap_or_default().to_string() + "\n").collect()
    };
    blocks.map(unindented).collect()
}

/// A command of a page, and what the page says that it prints.
pub struct Documented {
    /// The line after the prompt.
    pub command: String,
    /// The printed lines.
    pub printed: Vec<String>,
}

/// The commands of a section.
///
/// # Panics
/// If there is no such page or section, or a block does not begin with a command.
#[must_use]
pub fn commands(page: &str, section: &str) -> Vec<Documented> {
    let mut found: Vec<Documented> = vec![];
    for block in blocks(page, section) {
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(Documented { command: command.into(), printed: vec![] }),
                None => found.last_mut().expect("a command first").printed.push(line.into()),
            }
        }
    }
    found
}

impl Documented {
    /// Checks that the command printed what the page says.
    ///
    /// # Panics
    /// If it did not.
    pub fn expect_printed(&self, printed: &str) {
        for line in &self.printed {
            let is_there = printed.lines().any(|found| stands_for(line, found));
            assert!(is_there, "{}\nshould print {line}\n{printed}", self.command);
        }
    }
}

/// Whether a line of the page stands for a printed one: that one has all of its parts, in this order; `…` between them
/// stands for anything.
fn stands_for(line: &str, printed: &str) -> bool {
    let mut rest = printed;
    line.split('…').all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}
