//! What clients tell their model about this server: every skill of the active policy, when to use it and when not.
//! Clients that load tools only when they are looked for show nothing else of them. No I/O.

use crds::{RoutingTable, table::Skill};

/// Longest text, in characters: Claude Code cuts at 4096, others earlier.
const MAX: usize = 2048;
const INTRODUCTION: &str = "Skills that another model runs: a second opinion that uses none of your own tokens. ";
const ROUTES: &str = "Each call goes to a local model or to Claude by how often the local one got this skill right. ";
const RETURNS: &str = "Each call goes to a local model, or comes back as the skill's instructions for you to follow, by how often \
the local model got this skill right. ";
/// How the material gets here; `routing connect`, through which it gets here otherwise, says so in its place.
pub const MATERIAL: &str = "The server sees only the arguments: pass the material in them, as each tool says.";
const LINE: &str = " The first line of an answer names the decision; report how it turned out. Skills:";
/// What a line needs besides its texts: `\n- `, `: `.
const OVERHEAD: usize = 5;
/// Ends a text that is cut.
const CUT: &str = "…";
/// Room for the sentence about the skills that have none.
const MORE: usize = 24;

/// The text for a table. With many skills each has the same room, and what one does not need goes to the others.
pub fn of(table: &RoutingTable) -> String {
    let skills: Vec<(&str, &str)> = table.skills.values().map(|skill| (skill.name.as_str(), when(skill))).collect();
    let routes = if table.claude.model().is_some() { ROUTES } else { RETURNS };
    let mut text = format!("{INTRODUCTION}{routes}{MATERIAL}{LINE}");
    let listed = fitting(&skills, MAX - text.chars().count() - MORE);
    let room = room(&skills[..listed], MAX - text.chars().count() - MORE);
    for (name, when) in &skills[..listed] {
        text.push_str(&line(name, when, room));
    }
    if listed < skills.len() {
        text.push_str(&format!("\n- and {} more", skills.len() - listed));
    }
    text
}

/// When to use a skill: what the policy says, or else the beginning of the description.
pub fn when(skill: &Skill) -> &str {
    skill.when_to_use.as_deref().unwrap_or(&skill.description)
}

fn line(name: &str, when: &str, room: usize) -> String {
    let when = one_line(when, room);
    if when.is_empty() { format!("\n- {name}") } else { format!("\n- {name}: {when}") }
}

/// A text in one line, cut after a word to at most `most` characters, the mark of the cut included.
pub fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let whole = words.join(" ");
    if whole.chars().count() <= most {
        return whole;
    }
    let mut used = CUT.chars().count();
    let fits = |word: &&&str| {
        used += word.chars().count() + 1;
        used <= most
    };
    let kept: Vec<&str> = words.iter().take_while(fits).copied().collect();
    if kept.is_empty() { String::new() } else { kept.join(" ") + " " + CUT }
}

/// How many of the skills have room for their name at least.
fn fitting(skills: &[(&str, &str)], total: usize) -> usize {
    let mut used = 0;
    let fits = |(name, _): &&(&str, &str)| {
        used += name.len() + OVERHEAD;
        used <= total
    };
    skills.iter().take_while(fits).count()
}

/// The largest room for each text with which all fit: short ones leave theirs to the long ones.
fn room(skills: &[(&str, &str)], total: usize) -> usize {
    let names: usize = skills.iter().map(|(name, _)| name.len() + OVERHEAD).sum();
    let mut left = total.saturating_sub(names);
    let mut lengths: Vec<usize> = skills.iter().map(|(_, when)| when.chars().count()).collect();
    lengths.sort_unstable();
    for (i, length) in lengths.iter().enumerate() {
        let share = left / (lengths.len() - i);
        if *length > share {
            return share;
        }
        left -= length;
    }
    MAX
}

#[cfg(test)]
mod tests {
    use crds::table::ClaudeTarget;

    use super::*;
    use crate::mcp::tools::tests::table;

    #[test]
    fn the_builtin_skills_are_all_there_with_when_to_use_them_and_when_not() {
        let text = of(&table(""));
        assert!(text.chars().count() <= MAX, "{}", text.chars().count());
        for skill in ["code_review", "debug", "retrospective", "trainer"] {
            let line = text.lines().find(|line| line.starts_with(&format!("- {skill}: ")));
            assert!(line.is_some_and(|line| line.contains("Not ") && !line.ends_with('…')), "{skill}: {text}");
        }
    }

    #[test]
    fn a_caller_that_gets_work_back_is_told_so_before_its_first_call() {
        let mut table = table("  skills: [{name: debug}]\n");
        assert!(of(&table).contains("to a local model or to Claude"));
        table.claude = ClaudeTarget::Caller;
        let text = of(&table);
        assert!(text.contains("comes back as the skill's instructions for you to follow") && !text.contains("Claude"));
    }

    #[test]
    fn many_skills_are_shortened_alike_and_none_is_left_out_while_its_name_fits() {
        let skills = |n: usize, when: &dyn Fn(usize) -> String| {
            let skill = |i: usize| {
                format!(
                    "{{name: s{i:02}, description: d, whenToUse: \"{}\", inputSchema: {{type: object}}, stages: [{{system: {{text: s}}, user: u}}]}}",
                    when(i)
                )
            };
            table(&format!("  skills: [{}]\n", (0..n).map(skill).collect::<Vec<_>>().join(", ")))
        };
        let text = of(&skills(20, &|i| if i == 7 { "short".into() } else { "many words ".repeat(40) }));
        assert!((MAX - 200..=MAX).contains(&text.chars().count()), "{}", text.chars().count());
        let lengths: Vec<usize> = text.lines().skip(1).map(|line| line.chars().count()).collect();
        assert_eq!(lengths.len(), 20);
        assert!(text.contains("\n- s07: short\n"));
        assert!(
            lengths.iter().enumerate().all(|(i, length)| i == 7 || length.abs_diff(lengths[0]) <= 1),
            "{lengths:?}"
        );
        let text = of(&skills(64, &|_| "many words ".repeat(40)));
        assert!(text.chars().count() <= MAX && text.lines().count() == 65, "{text}");
    }

    #[test]
    fn names_that_have_no_room_are_counted() {
        let skill = |i: usize| {
            format!(
                "{{name: {}{i:02}, description: d, inputSchema: {{type: object}}, stages: [{{system: {{text: s}}, user: u}}]}}",
                "n".repeat(46)
            )
        };
        let text = of(&table(&format!("  skills: [{}]\n", (0..64).map(skill).collect::<Vec<_>>().join(", "))));
        assert!(text.chars().count() <= MAX, "{}", text.chars().count());
        let listed = text.lines().filter(|line| line.starts_with("- n")).count();
        assert!(text.ends_with(&format!("\n- and {} more", 64 - listed)), "{text}");
    }

    #[test]
    fn a_text_is_cut_after_a_word() {
        for (text, most, line) in [
            ("one two three", 13, "one two three"),
            ("one two three", 12, "one two …"),
            ("one\n two", 20, "one two"),
            ("longer", 4, ""),
            ("äöü äöü", 7, "äöü äöü"),
        ] {
            assert_eq!(one_line(text, most), line, "{text} {most}");
        }
    }
}
