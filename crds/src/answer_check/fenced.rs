//! The fenced blocks of a Markdown text.

/// What can begin and end a block.
const FENCES: [char; 2] = ['`', '~'];
/// Shortest fence.
const FENCE_MIN: usize = 3;

/// The inside of the only fenced block of a text; none if it has no complete one, or several.
pub(super) fn only_block(text: &str) -> Option<&str> {
    let mut lines = Lines { text, at: 0 };
    let mut found = None;
    while let Some((_, line)) = lines.next() {
        let Some(fence) = opening(line) else { continue };
        let start = lines.at;
        let end = loop {
            let (at, line) = lines.next()?;
            if closes(line, fence) {
                break at;
            }
        };
        if found.replace(&text[start..end]).is_some() {
            return None;
        }
    }
    found
}

/// The lines of a text, each with where it begins.
struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let at = self.at;
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        self.at += length;
        Some((at, &rest[..length]))
    }
}

/// The character and the length of the fence that a line opens a block with.
fn opening(line: &str) -> Option<(char, usize)> {
    let line = line.trim();
    let (fence, length) = run(line)?;
    // Such a line is code within a text, not the beginning of a block (CommonMark, 4.5).
    (!(fence == '`' && line[length..].contains('`'))).then_some((fence, length))
}

fn closes(line: &str, (fence, length): (char, usize)) -> bool {
    let line = line.trim();
    run(line).is_some_and(|(found, run)| found == fence && run >= length && run == line.len())
}

/// The fence that a text begins with.
fn run(text: &str) -> Option<(char, usize)> {
    let fence = text.chars().next().filter(|c| FENCES.contains(c))?;
    // Both are one byte long.
    let length = text.bytes().take_while(|byte| char::from(*byte) == fence).count();
    (length >= FENCE_MIN).then_some((fence, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_complete_block_is_taken_and_of_several_none() {
        for (text, block) in [
            ("```json\n{}\n```", Some("{}\n")),
            ("Here it is:\n\n```\n{}\n```\nDone.", Some("{}\n")),
            ("  ~~~JSON\r\n{}\r\n  ~~~\r\n", Some("{}\r\n")),
            ("````\n```\n{}\n```\n````", Some("```\n{}\n```\n")),
            ("```json\n```", Some("")),
            ("```json\n{}", None),
            ("```\n{}\n~~~", None),
            ("```\n1\n```\n```\n2\n```", None),
            ("```\n1\n```\n```\n2", None),
            ("```{}``` is code in a line", None),
            ("``\n{}\n``", None),
            ("no block", None),
            ("", None),
        ] {
            assert_eq!(only_block(text), block, "{text:?}");
        }
    }
}
