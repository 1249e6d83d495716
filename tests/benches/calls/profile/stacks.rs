//! Samples counted by part of the program and by function.

use std::{collections::HashMap, fmt::Write as _};

use tests::costs;

/// Parts of Rust itself, which work for who calls them.
const LANGUAGE: [&str; 4] = ["core", "alloc", "std", "__rustc"];
/// How the allocator's functions begin; it works for everyone and is counted by itself.
const ALLOCATOR: [&str; 2] = ["mi_", "_mi_"];
/// What copies and compares memory for who calls it.
const COPIES: [&str; 4] = ["__mem", "mem", "bcmp", "__bcmp"];

/// Samples, each with its functions from the innermost on.
pub struct Stacks {
    parts: HashMap<String, u64>,
    functions: HashMap<String, u64>,
    samples: u64,
}

impl Stacks {
    /// Reads what `perf script` prints.
    pub fn of(text: &str) -> Self {
        let mut stacks = Self { parts: HashMap::new(), functions: HashMap::new(), samples: 0 };
        for sample in text.split("\n\n") {
            let functions: Vec<&str> = sample.lines().skip(1).filter_map(function).collect();
            let Some(innermost) = functions.first() else { continue };
            stacks.samples += 1;
            *stacks.functions.entry(short(innermost)).or_default() += 1;
            *stacks.parts.entry(part(&functions)).or_default() += 1;
        }
        stacks
    }

    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The parts of the program that worked most, each with its share and, of this time a call, with its own.
    pub fn by_part(&self, rows: usize, each: f64) -> String {
        self.table(&self.parts, rows, each)
    }

    /// The same of functions, without those that they call.
    pub fn by_function(&self, rows: usize, each: f64) -> String {
        self.table(&self.functions, rows, each)
    }

    /// The largest costs, ranked: parts that do the same are together.
    pub fn largest(&self, each: f64) -> String {
        costs::largest(self.parts.iter().map(|(part, count)| (part.as_str(), self.share(*count))), each)
    }

    #[allow(clippy::cast_precision_loss)]
    fn share(&self, count: u64) -> f64 {
        count as f64 / self.samples.max(1) as f64
    }

    fn table(&self, counts: &HashMap<String, u64>, rows: usize, each: f64) -> String {
        let mut sorted: Vec<_> = counts.iter().collect();
        sorted.sort_by(|(name, count), (other, less)| less.cmp(count).then(name.cmp(other)));
        let mut table = String::new();
        for (name, count) in sorted.into_iter().take(rows) {
            let share = self.share(*count);
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{:6.2} %  {:7.2} µs  {name}", share * 100.0, share * each * 1000.0);
        }
        table
    }
}

/// The function of a line: address, then name, with an offset that is not wanted.
fn function(line: &str) -> Option<&str> {
    let (_, name) = line.trim().split_once(' ')?;
    Some(name.trim())
}

/// The part of the program that a sample counts for: a system call, the allocator, or the crate that is innermost.
fn part(functions: &[&str]) -> String {
    if let Some(call) = functions.iter().find_map(|name| system_call(name)) {
        return format!("system: {call}");
    }
    let innermost = functions[0];
    if ALLOCATOR.iter().any(|name| innermost.starts_with(name)) {
        return "allocator".to_string();
    }
    let by = functions.iter().find_map(|name| crate_of(name)).unwrap_or("unknown");
    if COPIES.iter().any(|name| innermost.starts_with(name)) { format!("{by}, copies") } else { by.to_string() }
}

/// The name of a system call, or of what else the kernel was entered for.
fn system_call(function: &str) -> Option<&str> {
    let entered = function.strip_prefix("__x64_sys_").or_else(|| function.strip_prefix("__arm64_sys_"));
    entered.or(match function {
        "asm_exc_page_fault" | "exc_page_fault" => Some("page faults"),
        "entry_SYSCALL_64" | "entry_SYSCALL_64_after_hwframe" | "syscall_return_via_sysret" => Some("entry and exit"),
        _ => function.starts_with("asm_sysvec_").then_some("interrupts"),
    })
}

/// The crate that a function is of: the first name of a path in it that is not Rust's own.
fn crate_of(function: &str) -> Option<&str> {
    let mut rest = function;
    while let Some(end) = rest.find("::") {
        let before = &rest[..end];
        let begin = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let name = &before[begin..];
        // Only what begins a path names a crate.
        let begins = !before[..begin].ends_with("::");
        if begins && !name.is_empty() && !LANGUAGE.contains(&name) {
            return Some(name);
        }
        rest = &rest[end + 2..];
        // The rest of this path, up to what is not a name.
        let path = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
        rest = &rest[path..];
    }
    None
}

/// A name without what a generic function was made for: it is often longer than a page.
fn short(function: &str) -> String {
    let mut depth = 0_u32;
    let mut short = String::new();
    for c in function.chars() {
        match c {
            '<' => {
                depth += 1;
                if depth == 2 {
                    short.push('…')
                }
            }
            '>' => depth = depth.saturating_sub(1),
            _ if depth < 2 => short.push(c),
            _ => {}
        }
    }
    short.chars().take(140).collect()
}
