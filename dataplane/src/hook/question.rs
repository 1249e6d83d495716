//! The one question to the calling model, and its answer.

use crate::mcp::MARK;

/// What the model says of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub skill: String,
    /// None: it does not know.
    pub right: Option<bool>,
}

/// What the model is asked.
pub(super) fn ask(skill: &str) -> String {
    format!(
        "One question about the last answer of routing's skill {skill}: has a test, a build or the user shown whether it \
         was right? End your reply with one line `{MARK} {skill} right`, `{MARK} {skill} wrong`, or, without such \
         evidence, `{MARK} {skill} unknown`. Do not guess, and do nothing else for this."
    )
}

/// The last line of a reply that is such an answer. The skill is only as long as a name can be.
pub(super) fn read(reply: &str) -> Option<Told> {
    reply.lines().rev().find_map(line)
}

fn line(line: &str) -> Option<Told> {
    let plain = line.trim().trim_matches(['`', '*', '.']);
    let mut words = plain.strip_prefix(MARK)?.split_whitespace();
    let (skill, word, none) = (words.next()?, words.next()?, words.next());
    let right = match word {
        "right" => Some(true),
        "wrong" => Some(false),
        "unknown" => None,
        _ => return None,
    };
    (none.is_none() && skill.len() <= 48).then(|| Told { skill: skill.into(), right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_answers_counts_and_nothing_else() {
        let told = |right| Some(Told { skill: "debug".into(), right });
        for (reply, expected) in [
            ("It works.\nrouting: debug right", told(Some(true))),
            ("`routing: debug wrong`\n", told(Some(false))),
            ("**routing: debug unknown**.", told(None)),
            ("routing: debug right\nrouting: debug wrong", told(Some(false))),
            ("routing: debug right|wrong|unknown", None),
            ("routing: debug right, I think", None),
            ("It says routing: debug right", None),
            ("routing: debug: local (qwen35, 0.94)", None),
            ("", None),
        ] {
            assert_eq!(read(reply), expected, "{reply:?}");
        }
        assert_eq!(read(&ask("debug")), None, "the question is no answer");
    }
}
