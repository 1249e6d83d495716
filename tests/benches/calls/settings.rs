//! How much is measured.

use std::{fmt, time::Duration};

use tests::number;

/// The parts of a full run, in the order in which they are measured; `profile` is measured only when it is named.
const PARTS: [&str; 4] = ["start", "memory", "latency", "sizes"];

/// How much is measured, by the variables `ROUNDS`, `CELL_SECONDS`, `RATES`, `LITELLM_RATE` and `PARTS`.
pub struct Settings {
    /// How often each cell is measured, in turns with the others.
    pub rounds: usize,
    /// How long calls begin in one cell.
    pub time: Duration,
    /// Calls a second.
    pub rates: Vec<u32>,
    /// Calls a second for LiteLLM alone: what it holds on two processors; 0 leaves it out.
    pub litellm_rate: u32,
    parts: Vec<String>,
}

impl Settings {
    /// By the environment; what is not set is as in a full run.
    pub fn of_environment() -> Self {
        Self {
            rounds: number("ROUNDS", 5),
            time: Duration::from_secs(number("CELL_SECONDS", 60)),
            rates: list("RATES").map_or(vec![200, 1000, 2000], |rates| {
                rates.iter().map(|rate| rate.parse().expect("RATES: must be numbers, as 200,1000")).collect()
            }),
            litellm_rate: number("LITELLM_RATE", 25),
            parts: list("PARTS").unwrap_or_else(|| PARTS.map(String::from).into()),
        }
    }

    /// Whether this part is measured.
    pub fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|named| named == part)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rounds, seconds, parts) = (self.rounds, self.time.as_secs(), self.parts.join(", "));
        write!(f, "{rounds} rounds of {seconds} s a cell; {parts}")
    }
}

fn list(variable: &str) -> Option<Vec<String>> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.split(',').map(|part| part.trim().to_string()).collect())
}
