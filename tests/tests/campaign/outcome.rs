//! How a plan ended.

use std::{any::Any, fmt, time::Duration};

use super::plan::Plan;

/// Most lines of a difference that are shown.
const LINES: usize = 40;

/// How a plan ended.
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// Whether what was to go wrong did.
    pub struck: bool,
    /// Its end.
    pub end: End,
    /// How long it took.
    pub took: Duration,
}

/// The end of a plan.
#[derive(Clone)]
pub enum End {
    /// The cluster became what the policy says.
    Equal,
    /// It did not: where it differs, and what the operator sent last.
    Divergent(Vec<String>),
    /// Something that the plan itself waits for did not come; nothing is known of the operator.
    Endless(String),
}

impl Outcome {
    /// Whether the cluster is as it should be, but nothing went wrong before.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        matches!(self.end, End::Equal) && !self.struck
    }

    /// Whether something is wrong.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        !matches!(self.end, End::Equal)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, lines) = match &self.end {
            End::Equal => ("equal", <&[String]>::default()),
            End::Divergent(lines) => ("DIVERGENT", lines.as_slice()),
            End::Endless(why) => ("DID NOT END", std::slice::from_ref(why)),
        };
        let struck = if self.struck { "struck" } else { "not reached" };
        write!(f, "{word:11}  {struck:11}  {:5.1} s  {}", self.took.as_secs_f64(), self.plan)?;
        if self.is_wrong() {
            write!(f, "\n    again: {}", self.plan.again())?;
        }
        lines.iter().take(LINES).try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// The message of a panic.
#[must_use]
pub fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked").to_string()
}

#[test]
fn a_line_says_whether_it_struck_how_it_ended_how_long_it_took_and_how_to_run_it_again() {
    let plan = || Plan::from_seed(5).at("apply:services/edge:2".parse().expect("a point"));
    let line = |struck, end| Outcome { plan: plan(), struck, end, took: Duration::from_millis(12_340) }.to_string();
    let seed = "seed=5@apply:services/edge:2 scenario=thresholds perturbation=crash-after-write";
    assert_eq!(line(true, End::Equal), format!("equal        struck        12.3 s  {seed}"));
    assert_eq!(line(false, End::Equal), format!("equal        not reached   12.3 s  {seed}"));
    let diverged = line(true, End::Divergent(vec!["Service edge/a: found 1".into(); LINES + 5]));
    assert!(diverged.starts_with("DIVERGENT    struck ") && diverged.lines().count() == 2 + LINES, "{diverged}");
    let again = "    again: make campaign SEEDS='5@apply:services/edge:2'";
    assert_eq!(diverged.lines().nth(1), Some(again));
    let unended = line(false, End::Endless("waited 180s for: x".into()));
    assert!(
        unended.starts_with("DID NOT END  not reached") && unended.ends_with("\n    waited 180s for: x"),
        "{unended}"
    );
}

#[test]
fn a_panic_is_told_in_its_own_words() {
    let panics: [(Box<dyn Any + Send>, &str); 3] = [
        (Box::new("waited 180 s".to_string()), "waited 180 s"),
        (Box::new("plain"), "plain"),
        (Box::new(5), "panicked"),
    ];
    for (panic, message) in &panics {
        assert_eq!(message_of(&**panic), *message);
    }
}
