//! Recorded answers: one row is a prompt that a local model and Claude's stand-in answered.

use std::{collections::BTreeMap, path::Path};

/// A prompt. Models are right with a probability, which is 0 or 1 where a record says no more.
#[derive(Clone, Copy)]
pub struct Row {
    /// The first 8 bytes of the prompt's SHA-256, big endian.
    pub hash: u64,
    pub local: f64,
    /// Of the local model's successor.
    pub later: f64,
    pub claude: f64,
}

pub struct Skill {
    pub rows: Vec<Row>,
}

impl Skill {
    /// The average over all rows.
    pub fn rate(&self, of: impl Fn(&Row) -> f64) -> f64 {
        self.rows.iter().map(of).sum::<f64>() / self.rows.len() as f64
    }
}

pub struct Recorded {
    /// 58 skills of `routellm_outcomes.csv`: Mixtral-8x7B and GPT-4-1106.
    pub math: Vec<Skill>,
    /// 9 skills of `paretobandit_rewards.csv`: Llama-3.1-8B, after it Mistral-Large; Gemini-2.5-Pro.
    pub upgraded: Vec<Skill>,
    /// The same with Mistral-Large first.
    pub degraded: Vec<Skill>,
}

impl Recorded {
    pub fn read(folder: &Path) -> Self {
        let math = Table::read(&folder.join("routellm_outcomes.csv"));
        let rewards = Table::read(&folder.join("paretobandit_rewards.csv"));
        let [small, large, claude] = [
            "meta-llama/llama-3.1-8b-instruct|reward",
            "mistralai/mistral-large-2512|reward",
            "google/gemini-2.5-pro|reward",
        ];
        let (weak, strong) = ("mixtral_8x7b", "gpt4_1106");
        Self {
            math: math.skills("skill", [weak, weak, strong]),
            upgraded: rewards.skills("source", [small, large, claude]),
            degraded: rewards.skills("source", [large, small, claude]),
        }
    }
}

/// A CSV file without quotes.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}; REPLAY names the folder with this file", path.display()));
        let mut lines = text.lines().map(|line| line.split(',').map(String::from).collect::<Vec<_>>());
        let columns = lines.next().expect("a first line");
        let rows: Vec<_> = lines.collect();
        assert!(rows.iter().all(|row| row.len() == columns.len()), "{}: rows differ in length", path.display());
        Self { columns, rows }
    }

    fn column(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"))
    }

    /// By the part of their names before a `/`, without the prompts that the models may have learnt by heart.
    fn skills(&self, name: &str, models: [&str; 3]) -> Vec<Skill> {
        let (name, hash) = (self.column(name), self.column("prompt_sha256"));
        let contaminated = self.columns.iter().position(|column| column == "contaminated");
        let [local, later, claude] = models.map(|model| self.column(model));
        let mut skills: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| contaminated.is_none_or(|column| row[column] == "0")) {
            let number = |column: usize| row[column].parse().expect("a number");
            let hash = u64::from_str_radix(&row[hash][..16], 16).expect("a SHA-256");
            let answered = Row { hash, local: number(local), later: number(later), claude: number(claude) };
            skills.entry(row[name].split('/').next().unwrap_or_default()).or_default().push(answered);
        }
        skills.into_values().map(|rows| Skill { rows }).collect()
    }
}
