//! The programs that run tests, and how each is told to: what is not known for certain counts as no test, as silence costs
//! less than a wrong verdict.

/// A program, by what its manual says of its words.
struct Program {
    names: &'static [&'static str],
    how: How,
    /// Options that take the next word.
    valued: &'static [&'static str],
    /// Options with which no test runs, or none whose failure would be told; a `*` stands for any end.
    idle: &'static [&'static str],
}

/// What makes a run of the program one of tests.
enum How {
    /// It does nothing else, unless its first plain word is one of these.
    Always { unless: &'static [&'static str] },
    /// Its first plain word; options before it are one of `flags`, or have a value.
    First { is: &'static [&'static str], flags: &'static [&'static str] },
    /// All plain words are names of tests or of what prepares them, and one is of tests.
    Targets { tests: &'static [&'static str], prepare: &'static [&'static str] },
    /// A script of the project, by its name.
    Script,
}

/// What all programs have.
const IDLE: [&str; 6] = ["--help", "-h", "--version", "--list", "--collect-only", "--dry-run"];
/// How the runners of JavaScript say it, which scripts pass on.
const IDLE_JS: &[&str] =
    &["--listTests", "--showConfig", "--clearCache", "--init", "--passWithNoTests", "--if-present"];
const IDLE_PYTEST: &[&str] =
    &["--co", "--fixtures*", "--markers", "-V", "--setup-plan", "--setup-only", "--cache-show"];

const PROGRAMS: [Program; 15] = [
    always(&["pytest", "py.test"], &[], IDLE_PYTEST),
    always(&["jest"], &[], IDLE_JS),
    always(&["vitest"], &["list", "bench", "init", "typecheck"], IDLE_JS),
    always(&["ctest"], &[], &["-N", "--show-only", "--print-labels"]),
    always(&["rspec"], &[], &["--init", "-v"]),
    always(&["phpunit"], &[], &["--list-*", "--generate-*", "--migrate-*", "--check-*", "--atleast-*", "--warm-*"]),
    always(&["bats"], &[], &["--count", "-c", "-v"]),
    Program {
        names: &["tox"],
        how: How::Always {
            unless: &["l", "list", "c", "config", "d", "devenv", "q", "quickstart", "e", "exec", "de", "depends"],
        },
        valued: &["-e", "-c", "-x", "--conf", "--workdir", "--root"],
        idle: &["-l", "-a", "--listenvs*", "--notest", "-n", "--showconfig", "--devenv"],
    },
    Program {
        names: &["cargo"],
        how: How::First {
            is: &["test", "t"],
            flags: &["-q", "--quiet", "-v", "--verbose", "--offline", "--locked", "--frozen"],
        },
        valued: &["-C", "--config", "-Z", "--color"],
        idle: &["--no-run"],
    },
    Program {
        names: &["go"],
        how: How::First { is: &["test"], flags: &[] },
        valued: &["-C"],
        idle: &["-list", "-c", "-n"],
    },
    Program {
        names: &["dotnet"],
        how: How::First { is: &["test"], flags: &[] },
        valued: &[],
        idle: &["--list-tests", "-t"],
    },
    Program {
        names: &["npm", "pnpm", "yarn", "bun"],
        how: How::Script,
        valued: &["--prefix", "-C", "--dir", "--cwd", "-w", "--workspace", "-F", "--filter"],
        idle: IDLE_JS,
    },
    Program {
        names: &["make", "gmake"],
        how: How::Targets { tests: &["test", "tests", "check"], prepare: &["clean"] },
        valued: &["-C", "-f", "-I", "-o", "-W", "--directory", "--file", "--makefile", "--include-dir", "--eval"],
        idle: &["-n", "-i", "-q", "-t", "--just-print", "--recon", "--ignore-errors", "--question", "--touch"],
    },
    Program {
        names: &["mvn", "mvnw"],
        how: How::Targets { tests: &["test", "verify"], prepare: &["clean"] },
        valued: &["-P", "-pl", "-f", "-s", "-gs", "-t", "-T", "-rf", "-l", "-b", "--file", "--projects", "--settings"],
        idle: &["-DskipTests*", "-Dmaven.test.skip*", "-Dmaven.test.failure.ignore*", "-fn", "--fail-never"],
    },
    Program {
        names: &["gradle", "gradlew"],
        how: How::Targets { tests: &["test", "check"], prepare: &["clean"] },
        valued: &["--tests", "-p", "--project-dir", "-b", "-c", "-I", "-g"],
        idle: &["-x", "--exclude-task", "-m", "--test-dry-run", "-t"],
    },
];

const fn always(
    names: &'static [&'static str],
    unless: &'static [&'static str],
    idle: &'static [&'static str],
) -> Program {
    Program { names, how: How::Always { unless }, valued: &[], idle }
}

/// Whether a program with its arguments runs tests.
pub(super) fn runs_tests(words: &[&str]) -> bool {
    match words {
        [program, arguments @ ..] => of(program.rsplit('/').next().unwrap_or(program), arguments),
        [] => false,
    }
}

fn of(name: &str, arguments: &[&str]) -> bool {
    match (name, arguments) {
        (python, _) if python.starts_with("python") => of_python(arguments),
        ("cargo", [toolchain, rest @ ..]) if toolchain.starts_with('+') => of(name, rest),
        // It runs by a word of its own.
        ("cargo", ["nextest", "run" | "r", rest @ ..]) => !rest.iter().any(|word| is_idle(word, &["--no-run"])),
        _ => PROGRAMS.iter().find(|program| program.names.contains(&name)).is_some_and(|it| it.runs_tests(arguments)),
    }
}

/// `python -m pytest`; what stands before has no value, or is a warning's or an implementation's option.
fn of_python(arguments: &[&str]) -> bool {
    match arguments {
        ["-m", "pytest", rest @ ..] => of("pytest", rest),
        ["-m", "unittest", rest @ ..] => !rest.iter().any(|word| is_idle(word, &[])),
        ["-W" | "-X", _, rest @ ..] => of_python(rest),
        [option, rest @ ..] if option.starts_with('-') && *option != "-c" && *option != "-m" => of_python(rest),
        _ => false,
    }
}

impl Program {
    fn runs_tests(&self, arguments: &[&str]) -> bool {
        !self.has_idle(arguments) && self.is_told_to(arguments)
    }

    fn has_idle(&self, arguments: &[&str]) -> bool {
        arguments.iter().any(|word| is_idle(word, self.idle) || self.is_idle_cluster(word))
    }

    /// `make -si`: letters that each are an option; of one with a value the rest is the value.
    fn is_idle_cluster(&self, word: &str) -> bool {
        let Some(letters) = word.strip_prefix('-').filter(|_| self.names.contains(&"make")) else { return false };
        let flags = letters.chars().take_while(|letter| letter.is_ascii_alphabetic() && !self.has_value(*letter));
        !letters.starts_with('-') && flags.into_iter().any(|letter| self.idle.contains(&format!("-{letter}").as_str()))
    }

    fn has_value(&self, letter: char) -> bool {
        self.valued.contains(&format!("-{letter}").as_str())
    }

    fn is_told_to(&self, arguments: &[&str]) -> bool {
        match &self.how {
            How::Always { unless } => !self.plain(arguments).first().is_some_and(|first| unless.contains(first)),
            How::First { is, flags } => self.behind(flags, arguments).first().is_some_and(|first| is.contains(first)),
            How::Targets { tests, prepare } => {
                // Gradle's have the path of their project before them.
                let targets =
                    self.plain(arguments).into_iter().map(|target| target.rsplit(':').next().unwrap_or(target));
                let others: Vec<&str> = targets.clone().filter(|target| !tests.contains(target)).collect();
                others.len() < targets.count() && others.iter().all(|other| prepare.contains(other))
            }
            How::Script => match self.behind(&["-s", "--silent"], arguments) {
                ["run" | "run-script", script, ..] | [script, ..] => {
                    matches!(*script, "test" | "t" | "tst") || script.starts_with("test:")
                }
                [] => false,
            },
        }
    }

    /// The words that are no option and no option's value.
    fn plain<'a>(&self, arguments: &[&'a str]) -> Vec<&'a str> {
        let is_value = |i: usize| i > 0 && self.valued.contains(&arguments[i - 1]);
        let is_plain = |i: &usize| !arguments[*i].starts_with('-') && !arguments[*i].contains('=') && !is_value(*i);
        let numbers_of_jobs = |word: &&str| word.parse::<u32>().is_err();
        (0..arguments.len()).filter(is_plain).map(|i| arguments[i]).filter(numbers_of_jobs).collect()
    }

    /// From the first plain word on; nothing behind an option that is not known.
    fn behind<'a, 'b>(&self, flags: &[&str], arguments: &'b [&'a str]) -> &'b [&'a str] {
        match arguments {
            [option, _, rest @ ..] if self.valued.contains(option) => self.behind(flags, rest),
            [option, rest @ ..] if flags.contains(option) => self.behind(flags, rest),
            [option, ..] if option.starts_with('-') => &[],
            words => words,
        }
    }
}

fn is_idle(word: &str, idle: &[&str]) -> bool {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    // Go knows its options with one hyphen and with two.
    let is = |option: &str| match option.split_once('*') {
        Some((begin, end)) => word.starts_with(begin) && word.ends_with(end),
        None => name == option || name.strip_prefix('-').is_some_and(|short| short == option),
    };
    IDLE.iter().chain(idle).any(|option| is(option))
}
