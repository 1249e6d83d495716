//! Secrets: files in a folder, as a pod mounts them, or environment variables.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crds::{pod::MissingSecret, policy::SecretKeyRef};
use secrecy::{ExposeSecret, SecretString};

/// Longest secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Where secrets are read from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The environment variable whose name is the key.
    Environment(SecretVariables),
    /// The file `<folder>/<name>/<key>`; if the folder does not exist, the environment variable.
    Folder(PathBuf, SecretVariables),
}

/// Environment variables that may be secrets; never printed.
#[derive(Clone, Default)]
pub struct SecretVariables(BTreeMap<String, SecretString>);

impl std::fmt::Debug for SecretVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretVariables")
    }
}

impl FromIterator<(String, String)> for SecretVariables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
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
            Self::Folder(folder, _) => Some(folder),
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
            Self::Folder(folder, _) if folder.is_dir() => read_file(&folder.join(&reference.name).join(&reference.key)),
            Self::Environment(SecretVariables(variables)) => variables
                .get(&reference.key)
                .cloned()
                .ok_or_else(|| format!("the environment variable {} is not set", reference.key)),
            Self::Folder(folder, SecretVariables(variables)) => {
                variables.get(&reference.key).cloned().ok_or_else(|| {
                    let file = folder.join(&reference.name).join(&reference.key);
                    format!(
                        "there is no file {}, and the environment variable {} is not set",
                        file.display(),
                        reference.key
                    )
                })
            }
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(format!("{}: is larger than {MAX_BYTES} bytes", path.display()));
    }
    let bytes = fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| format!("{}: is not UTF-8", path.display()))
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
    use super::*;

    fn reference(key: &str) -> SecretKeyRef {
        SecretKeyRef { name: "routing-secrets".into(), key: key.into() }
    }

    #[test]
    fn a_folder_takes_precedence_and_without_it_the_environment_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = SecretVariables::from_iter([("KEY".to_string(), "from-env".to_string())]);
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
    fn an_unusable_secret_is_reported_without_its_value() {
        for (value, reason) in [
            ("", "is empty"),
            ("\n", "is empty"),
            ("can\nary", "an HTTP header cannot"),
            ("canär", "an HTTP header cannot"),
        ] {
            let variables = SecretVariables::from_iter([("KEY".to_string(), value.to_string())]);
            let secrets = SecretSource::Environment(variables).read([reference("KEY")].iter());
            let missing = secrets.missing()[0].to_string();
            assert!(missing.starts_with("secret routing-secrets key KEY: ") && missing.contains(reason), "{missing}");
            assert!(!missing.contains("ary") && !missing.contains("canär"), "{missing}");
        }
    }
}
