//! Secrets: files in a folder, as a pod mounts them, or environment variables.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crds::{pod::MissingSecret, policy::SecretKeyRef};
use secrecy::{ExposeSecret, SecretString};

use crate::still;

/// Longest secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// Variables that a policy may always name as secrets: they hold this program's own. Any other could be a secret of
/// another program, which the author of a policy could send to an upstream of theirs.
const OWN_VARIABLES: [&str; 5] =
    ["LITELLM_API_KEY", "ROUTING_LOCAL_API_KEY", "ROUTING_CLAUDE_API_KEY", "ROUTING_MCP_TOKEN", "BRAIN_TOKEN"];
/// Variable in which the owner of the process lists further ones, separated by commas.
pub const LIST_VARIABLE: &str = "ROUTING_SECRET_VARIABLES";

/// Why there is no file in a pod, whose files are those of its Secrets.
const NO_KEY: &str = "the Secret does not exist, or does not have this key; create it";

/// Where secrets are read from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The environment variable whose name is the key.
    Environment(SecretVariables),
    /// The file `<folder>/<name>/<key>`; if the folder does not exist, the environment variable.
    Folder(PathBuf, SecretVariables),
    /// As above, in a pod: there, nobody is told about environment variables.
    Mounted(PathBuf, SecretVariables),
}

/// The environment variables that a policy may name as secrets; never printed. No other variable is kept.
#[derive(Clone, Default)]
pub struct SecretVariables {
    values: BTreeMap<String, SecretString>,
    allowed: BTreeSet<String>,
}

impl std::fmt::Debug for SecretVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretVariables")
    }
}

impl SecretVariables {
    /// Keeps this program's own secrets of these variables, and those that are listed.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>, listed: Vec<String>) -> Self {
        let allowed: BTreeSet<String> = OWN_VARIABLES.map(str::to_string).into_iter().chain(listed).collect();
        let secrets = variables.into_iter().filter(|(name, _)| allowed.contains(*name));
        Self { values: secrets.map(|(name, value)| (name.to_string(), value.into())).collect(), allowed }
    }

    /// A variable's value, or why there is none; it is not told whether a variable that may not be read is set.
    fn get(&self, name: &str) -> Result<SecretString, String> {
        if !self.allowed.contains(name) {
            return Err(format!(
                "the environment variable {name} may not be read as a secret; to allow it, add it to {LIST_VARIABLE}"
            ));
        }
        self.values.get(name).cloned().ok_or_else(|| format!("the environment variable {name} is not set"))
    }
}

/// Reads a list of variables' names, separated by commas.
pub fn variable_names(text: &str) -> Option<Vec<String>> {
    let is_name = |name: &&str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    text.split(',').map(str::trim).map(|name| Some(name).filter(is_name).map(str::to_string)).collect()
}

/// The secrets that a table refers to.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<SecretKeyRef, SecretString>,
    missing: Vec<MissingSecret>,
}

impl Secrets {
    /// The value of a secret, if it is there.
    pub fn get(&self, reference: &SecretKeyRef) -> Option<&SecretString> {
        self.values.get(reference)
    }

    /// Whether a secret has the same value in both.
    pub fn agree_on(&self, other: &Self, reference: &SecretKeyRef) -> bool {
        self.get(reference).map(ExposeSecret::expose_secret) == other.get(reference).map(ExposeSecret::expose_secret)
    }

    /// The secrets that the table refers to but that cannot be used.
    pub fn missing(&self) -> &[MissingSecret] {
        &self.missing
    }

    /// The secrets that are missing here but not in `other`.
    pub fn missing_beside(&self, other: &Self) -> Vec<MissingSecret> {
        let known =
            |secret: &MissingSecret| other.missing.iter().any(|o| (&o.name, &o.key) == (&secret.name, &secret.key));
        self.missing.iter().filter(|secret| !known(secret)).cloned().collect()
    }

    /// The secrets that have another value than in `before`, or have one in only one of them, as `NAME/KEY`. Those that
    /// only one of them knows are left out: the policy changed.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let changed = self.known().filter(|reference| before.known().any(|known| known == *reference));
        let changed = changed.filter(|reference| !self.agree_on(before, reference));
        changed.map(|SecretKeyRef { name, key }| format!("{name}/{key}")).collect()
    }

    /// The secrets that the table refers to, sorted.
    fn known(&self) -> impl Iterator<Item = SecretKeyRef> {
        let missing = self
            .missing
            .iter()
            .map(|MissingSecret { name, key, .. }| SecretKeyRef { name: name.clone(), key: key.clone() });
        missing.chain(self.values.keys().cloned()).collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether both have the same values, and the same secrets are missing.
    pub fn same_as(&self, other: &Self) -> bool {
        self.missing == other.missing
            && self.values.keys().eq(other.values.keys())
            && self.values.keys().all(|reference| self.agree_on(other, reference))
    }
}

impl SecretSource {
    /// The folder to watch for changes.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder, _) | Self::Mounted(folder, _) => Some(folder),
            Self::Environment(_) => None,
        }
    }

    /// Reads every referenced secret.
    pub fn read<'a>(&self, references: impl Iterator<Item = &'a SecretKeyRef>) -> Secrets {
        let mut secrets = Secrets::default();
        for reference in references {
            match self.read_one(reference).and_then(usable) {
                Ok(value) => {
                    secrets.values.insert(reference.clone(), value);
                }
                Err(reason) => {
                    let SecretKeyRef { name, key } = reference.clone();
                    let missing = MissingSecret { name, key, reason };
                    if !secrets.missing.contains(&missing) {
                        secrets.missing.push(missing);
                    }
                }
            }
        }
        secrets
    }

    fn read_one(&self, reference: &SecretKeyRef) -> Result<SecretString, String> {
        match self {
            Self::Environment(variables) => variables.get(&reference.key),
            Self::Mounted(folder, variables) => match file_of(folder, reference) {
                file if file.exists() => read_file(&file),
                // There is no folder until one of the Secrets exists.
                _ if folder.is_dir() => Err(NO_KEY.into()),
                _ => variables.get(&reference.key).map_err(|_| NO_KEY.into()),
            },
            Self::Folder(folder, _) if folder.is_dir() => read_file(&file_of(folder, reference)),
            Self::Folder(folder, variables) => variables
                .get(&reference.key)
                .map_err(|reason| format!("there is no file {}, and {reason}", file_of(folder, reference).display())),
        }
    }
}

fn file_of(folder: &Path, reference: &SecretKeyRef) -> PathBuf {
    folder.join(&reference.name).join(&reference.key)
}

fn read_file(path: &Path) -> Result<SecretString, String> {
    let read = still::bytes(path, MAX_BYTES).map_err(|error| error.to_string()).and_then(text);
    read.map_err(|reason| format!("{}: {reason}", path.display()))
}

fn text(bytes: Vec<u8>) -> Result<SecretString, String> {
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| "is not UTF-8".into())
}

/// The secret in the content of a file.
///
/// # Errors
/// Why there is none that can be used; no part of the content is in it.
pub fn of_content(bytes: Vec<u8>) -> Result<SecretString, String> {
    text(bytes).and_then(usable)
}

/// The value without white space around it: the line end that editors and `kubectl create secret --from-file` leave,
/// and spaces, which HTTP strips from a header's value anyway.
fn usable(value: SecretString) -> Result<SecretString, String> {
    let trimmed = value.expose_secret().trim();
    if trimmed.is_empty() {
        return Err("is empty".into());
    }
    if trimmed.chars().any(char::is_control) || !trimmed.is_ascii() {
        return Err("has characters that an HTTP header cannot carry".into());
    }
    Ok(trimmed.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn reference(key: &str) -> SecretKeyRef {
        SecretKeyRef { name: "routing-secrets".into(), key: key.into() }
    }

    #[test]
    fn a_folder_takes_precedence_and_without_it_the_environment_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = SecretVariables::new([("KEY", "from-env")], vec!["KEY".into()]);
        let source = SecretSource::Folder(folder.path().join("secrets"), variables);
        let value = |source: &SecretSource| {
            source.read([reference("KEY")].iter()).get(&reference("KEY")).map(|s| s.expose_secret().to_string())
        };
        assert_eq!(value(&source).as_deref(), Some("from-env"));
        fs::create_dir_all(folder.path().join("secrets/routing-secrets")).expect("folders");
        assert_eq!(value(&source), None, "the folder is there, the file is not");
        fs::write(folder.path().join("secrets/routing-secrets/KEY"), "from-file\n").expect("a file");
        assert_eq!(value(&source).as_deref(), Some("from-file"));
    }

    #[test]
    fn a_secret_that_is_missing_in_a_pod_is_reported_without_a_word_about_variables() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = folder.path().join("secrets");
        let variables = SecretVariables::new([("SET", "x")], vec!["SET".into()]);
        let source = SecretSource::Mounted(secrets.clone(), variables);
        let missing = |key: &str| source.read([reference(key)].iter()).missing().first().map(|m| m.reason.clone());
        assert_eq!(missing("KEY").as_deref(), Some(NO_KEY));
        assert_eq!(missing("SET"), None, "as without a pod");
        fs::create_dir_all(secrets.join("routing-secrets")).expect("folders");
        assert_eq!(missing("KEY").as_deref(), Some(NO_KEY), "another Secret exists");
        fs::write(secrets.join("routing-secrets/KEY"), "value").expect("a file");
        assert_eq!(missing("KEY"), None);
    }

    #[test]
    fn what_is_no_file_or_too_large_for_a_secret_is_reported_and_never_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("routing-secrets");
        fs::create_dir_all(secret.join("FOLDER")).expect("folders");
        let most = "x".repeat(usize::try_from(MAX_BYTES).expect("it fits"));
        fs::write(secret.join("MOST"), &most).expect("a file");
        fs::write(secret.join("LARGE"), most + "x").expect("a file");
        let piped = std::process::Command::new("mkfifo").arg(secret.join("PIPE")).status().expect("mkfifo runs");
        assert!(piped.success());
        let source = SecretSource::Folder(folder.path().into(), SecretVariables::default());
        let reason = |key: &str| source.read([reference(key)].iter()).missing().first().map(|m| m.reason.clone());
        assert_eq!(reason("MOST"), None);
        for (key, expected) in
            [("FOLDER", "is not a file"), ("PIPE", "is not a file"), ("LARGE", "is larger than 65536 bytes")]
        {
            let reason = reason(key).expect(key);
            assert!(reason.ends_with(expected), "{reason}");
        }
    }

    #[test]
    fn a_policy_reads_only_the_variables_that_are_its_own_or_listed() {
        let names = ["LITELLM_API_KEY", "ROUTING_MCP_TOKEN", "BRAIN_TOKEN", "MY_KEY", "AWS_SECRET_ACCESS_KEY"];
        let variables = SecretVariables::new(names.map(|name| (name, "canary")), vec!["MY_KEY".into()]);
        for source in [
            SecretSource::Environment(variables.clone()),
            SecretSource::Folder("/nonexistent".into(), variables.clone()),
        ] {
            for name in names {
                let secrets = source.read([reference(name)].iter());
                assert_eq!(secrets.get(&reference(name)).is_some(), name != "AWS_SECRET_ACCESS_KEY", "{name}");
            }
            for name in ["AWS_SECRET_ACCESS_KEY", "NOT_SET"] {
                let missing = source.read([reference(name)].iter()).missing()[0].to_string();
                let cure = "may not be read as a secret; to allow it, add it to ROUTING_SECRET_VARIABLES";
                assert!(missing.contains(name) && missing.contains(cure), "{missing}");
            }
        }
        assert_eq!(variable_names("A, b_2 ,C"), Some(vec!["A".into(), "b_2".into(), "C".into()]));
        for wrong in ["A,", "A B", "2A", "A=secret", "*"] {
            assert_eq!(variable_names(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_unusable_secret_is_reported_without_its_value() {
        for (value, reason) in [
            ("", "is empty"),
            ("\n", "is empty"),
            ("can\nary", "an HTTP header cannot"),
            ("canär", "an HTTP header cannot"),
        ] {
            let variables = SecretVariables::new([("KEY", value)], vec!["KEY".into()]);
            let secrets = SecretSource::Environment(variables).read([reference("KEY")].iter());
            let missing = secrets.missing()[0].to_string();
            assert!(missing.starts_with("secret routing-secrets key KEY: ") && missing.contains(reason), "{missing}");
            assert!(!missing.contains("ary") && !missing.contains("canär"), "{missing}");
        }
    }
}
