//! All recorded prompts once, with each skill's rate known: what the rule gives, against figures from elsewhere.

use crate::{
    arms::PLAIN,
    data::Skill,
    rule::{Decision, Measured, decide_for_skill},
};

const SKILLS: usize = 58;
const ROWS: usize = 15_344;

/// What comes out, in percent.
const EXPECTED: [(&str, &str); 6] = [
    ("all local, right", "67.720"),
    ("all Claude, right", "81.028"),
    ("the rule, right", "78.695"),
    ("the rule, calls to Claude", "71.650"),
    ("the rule in expectation over the split, right", "78.699"),
    ("the rule in expectation over the split, calls to Claude", "72.028"),
];

/// Prints the figures.
///
/// # Panics
/// One of them differs in its third decimal.
pub fn replay(skills: &[Skill]) {
    let rows: usize = skills.iter().map(|skill| skill.rows.len()).sum();
    assert_eq!((skills.len(), rows), (SKILLS, ROWS), "another routellm_outcomes.csv?");
    println!("Static replay: {rows} recorded prompts of {} skills at 0.90/0.70, in percent", skills.len());
    let sums = skills.iter().map(of_skill).fold([0.0; 6], |sums, more| std::array::from_fn(|i| sums[i] + more[i]));
    let measured = sums.map(|sum| format!("{:.3}", sum * 100.0 / rows as f64));
    for ((name, expected), measured) in EXPECTED.iter().zip(&measured) {
        println!("  {name:<56} expected {expected}, measured {measured}");
    }
    println!();
    assert_eq!(measured, EXPECTED.map(|(_, expected)| expected));
}

/// The sums of a skill, in the order of [`EXPECTED`].
fn of_skill(skill: &Skill) -> [f64; 6] {
    let measured = Measured { pass_rate: Some(skill.rate(|row| row.local)), ..Measured::default() };
    let mut sums = [0.0; 6];
    for row in &skill.rows {
        let decided = decide_for_skill(&PLAIN.rules, measured, row.hash);
        let to_claude = f64::from(u8::from(decided.decision == Decision::Claude));
        let right = |claude: f64| claude * row.claude + (1.0 - claude) * row.local;
        let expected = 1.0 - decided.p_local;
        let values = [row.local, row.claude, right(to_claude), to_claude, right(expected), expected];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sums
}
