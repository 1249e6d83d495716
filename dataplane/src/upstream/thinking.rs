//! Removes what a model thought from what it answered. No I/O.
//!
//! Models that think aloud put `<think>…</think>` before their answer. Some chat templates write the opening tag
//! themselves, so that an answer has only the closing one: then everything before it is thinking. Tags in code, as in
//! an answer about such tags, are text.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
/// Blocks that are removed from one answer, at most: each takes one pass over the text.
const BLOCKS_MAX: usize = 16;

/// The answer without thinking; a block that never ends leaves nothing.
pub(super) fn without_thinking(content: &str) -> &str {
    let mut rest = content.trim();
    for _ in 0..BLOCKS_MAX {
        let Some(answer) = after_block(rest) else { return rest };
        rest = answer.trim();
    }
    rest
}

/// What follows the first block, or the first closing tag without an opening one; none if there is neither.
fn after_block(text: &str) -> Option<&str> {
    if let Some(thinking) = text.strip_prefix(OPEN) {
        // A block with a code fence that never ends still ends at its tag.
        let close = tags(thinking).find(|(_, tag)| *tag == CLOSE).map(|(at, _)| at).or_else(|| thinking.find(CLOSE));
        return Some(close.map_or("", |at| &thinking[at + CLOSE.len()..]));
    }
    let mut open = 0_usize;
    for (at, tag) in tags(text) {
        match (tag, open) {
            (OPEN, _) => open += 1,
            (_, 0) => return Some(&text[at + CLOSE.len()..]),
            _ => open -= 1,
        }
    }
    None
}

/// The tags outside of code, with their places.
fn tags(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    let mut start = 0;
    let mut fence = None;
    text.split_inclusive('\n').flat_map(move |line| {
        let line_start = start;
        start += line.len();
        let in_code = fence.is_some();
        fence = fence_after(fence, line);
        let tags = if in_code || fence.is_some() { vec![] } else { tags_of_line(line) };
        tags.into_iter().map(move |(at, tag)| (line_start + at, tag))
    })
}

/// The fence that is open after a line: its character, and how many of them opened it (CommonMark, 4.5).
fn fence_after(open: Option<(char, usize)>, line: &str) -> Option<(char, usize)> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let line = line.trim();
    let mark = line.chars().next().filter(|c| indent <= 3 && matches!(c, '`' | '~'));
    let length = line.chars().take_while(|c| Some(*c) == mark).count();
    let rest = &line[length..];
    match (open, mark) {
        (None, Some(mark)) if length >= 3 && !(mark == '`' && rest.contains('`')) => Some((mark, length)),
        (Some((char, opened)), Some(mark)) if mark == char && length >= opened && rest.is_empty() => None,
        _ => open,
    }
}

fn tags_of_line(line: &str) -> Vec<(usize, &'static str)> {
    let found = |tag| line.match_indices(tag).map(|(at, tag)| (at, tag.len()));
    let mut tags: Vec<_> = found(OPEN).map(|(at, n)| (at, n, OPEN)).collect();
    tags.extend(found(CLOSE).map(|(at, n)| (at, n, CLOSE)));
    tags.sort_unstable();
    let mut code = InlineCode { last: line.rfind('`'), upto: 0, backticks: 0 };
    let outside = |(at, length, tag): (usize, usize, &'static str)| {
        let quoted = code.covers(line, at, at + length) || is_quoted(&line[..at], &line[at + length..]);
        (!quoted).then_some((at, tag))
    };
    tags.into_iter().filter_map(outside).collect()
}

/// Backticks of a line, counted up to where the last tag was, so that a long line is read once.
struct InlineCode {
    /// Where the line's last backtick is.
    last: Option<usize>,
    upto: usize,
    backticks: usize,
}

impl InlineCode {
    /// Whether a span of a line is between backticks.
    fn covers(&mut self, line: &str, start: usize, end: usize) -> bool {
        self.backticks += line[self.upto..start].matches('`').count();
        self.upto = start;
        self.backticks % 2 == 1 && self.last.is_some_and(|last| last >= end)
    }
}

fn is_quoted(before: &str, after: &str) -> bool {
    ['"', '\''].iter().any(|quote| before.ends_with(*quote) && after.starts_with(*quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_goes_whatever_the_white_space_and_code_is_never_touched() {
        let fenced = "Use this:\n\n```text\n<think>\nplan\n</think>\n```\n\nIt works.";
        for (content, answer) in [
            ("<think>hm</think>\nyes", "yes"),
            ("<think>a</think><think>b</think> yes", "yes"),
            ("<think>\r\na\r\n</think>\r\n\r\nyes", "yes"),
            ("<think>it never ends", ""),
            // A closing tag without an opening one.
            ("reasoning</think>B", "B"),
            ("reasoning</think> B", "B"),
            ("reasoning </think>B", "B"),
            ("reasoning\n</think>B", "B"),
            ("reasoning\n</think>\nB", "B"),
            ("reasoning\n</think>\n\nB", "B"),
            ("reasoning\r\n</think>\r\nB", "B"),
            ("reasoning\r\n\r\n</think>\r\n\r\n\r\nB", "B"),
            ("reasoning\t</think>\t\u{a0}B", "B"),
            ("</think>\n\nB", "B"),
            ("</think>B", "B"),
            ("a</think>b</think>B", "B"),
            ("<think>a</think>b</think>B", "B"),
            ("a</think><think>b</think>B", "B"),
            ("reasoning with code\n```\nx\n```\nand more\n</think>\nB", "B"),
            // Nothing is left.
            ("reasoning only\n</think>", ""),
            ("reasoning only</think>\r\n", ""),
            ("</think>", ""),
            ("<think></think>", ""),
            // Code and quotes are text.
            (fenced, fenced),
            ("~~~\n</think>\n~~~\nB", "~~~\n</think>\n~~~\nB"),
            ("````\n```\n</think>\n````\nB", "````\n```\n</think>\n````\nB"),
            ("```\r\n</think>\r\n```\r\nB", "```\r\n</think>\r\n```\r\nB"),
            ("```\nnever closed\n</think>\nB", "```\nnever closed\n</think>\nB"),
            ("The pattern `</think>` is wrong", "The pattern `</think>` is wrong"),
            ("The pattern \"</think>\" is wrong", "The pattern \"</think>\" is wrong"),
            ("use <think> tags like <think>x</think></think>", "use <think> tags like <think>x</think></think>"),
            ("reasoning\n</think>\n```\n</think>\n```", "```\n</think>\n```"),
            ("reasoning on `</think>` here\n</think>\nB", "B"),
            ("<think>so:\n```\n</think>\n```\n</think>\nB", "B"),
            ("<think>so:\n```\nnever closed</think>B", "B"),
            ("No thinking at all", "No thinking at all"),
        ] {
            assert_eq!(without_thinking(content), answer, "{content:?}");
        }
    }

    #[test]
    fn an_endless_row_of_tags_is_read_in_one_breath() {
        let began = std::time::Instant::now();
        let rows = ["<think>", "</think>", "`</think>`", "<think>```\n</think>", "\"</think>\"\n", "` </think>"];
        std::thread::scope(|scope| {
            for row in rows {
                scope.spawn(move || {
                    without_thinking(&row.repeat(4 * 1024 * 1024 / row.len()));
                    without_thinking(&format!("`{}", row.repeat(4 * 1024 * 1024 / row.len())));
                });
            }
        });
        assert!(began.elapsed() < std::time::Duration::from_secs(120), "{:?}", began.elapsed());
    }
}
