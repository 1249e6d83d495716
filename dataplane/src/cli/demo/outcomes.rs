//! Which database the demo's brain uses: outcomes of examples and of stand-in models must not steer real routes.

use brain::settings::{DatabaseUrl, Place, Settings};
use tempfile::TempDir;

use super::stand_ins::StandIns;
use crate::cli::CliError;

/// The demo's database.
#[derive(Debug)]
pub(super) struct Outcomes {
    pub(super) database: DatabaseUrl,
    /// What a user should know about it, for the greeting.
    pub(super) remark: &'static str,
    /// Deleted with what is in it when the demo ends.
    examples: Option<TempDir>,
}

impl Outcomes {
    /// The database for what the demo runs. A variable that names one, and the file of an earlier version in this
    /// folder, count except for examples.
    pub(super) fn of(settings: &Settings, with_examples: bool, stand_ins: StandIns) -> Result<Self, CliError> {
        if with_examples {
            return Self::examples();
        }
        let database = settings.database.clone();
        Ok(match settings.place {
            Place::DataFolder => match (stand_ins.database(), database.path()) {
                (Some(file), Some(path)) => Self {
                    database: DatabaseUrl::sqlite(path.with_file_name(file)),
                    remark: "about these models alone; to begin anew, stop and delete it",
                    examples: None,
                },
                _ => Self { database, remark: "kept when it ends", examples: None },
            },
            Place::Set => Self { database, remark: "set by BRAIN_DATABASE_URL", examples: None },
            Place::Earlier { .. } => Self { database, remark: "found in this folder", examples: None },
        })
    }

    fn examples() -> Result<Self, CliError> {
        let folder = tempfile::Builder::new().prefix("routing-examples-").tempdir().map_err(|e| {
            CliError::Message(format!("--with-examples: needs a temporary folder: {e}; set TMPDIR to one"))
        })?;
        let database = DatabaseUrl::sqlite(folder.path().join("examples.db"));
        Ok(Self { database, remark: "of the examples alone; deleted when it ends", examples: Some(folder) })
    }

    pub(super) fn are_examples(&self) -> bool {
        self.examples.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_stand_ins_and_examples_are_not_among_real_ones() {
        let settings = |database: &str| {
            let variables = [("XDG_DATA_HOME", "/x"), ("BRAIN_DATABASE_URL", database)];
            brain::settings::from_environment(&variables.into_iter().collect()).expect("valid")
        };
        let (none, both) = (StandIns::Neither, StandIns::ForBoth);
        let path = |settings: &Settings, with_examples, stand_ins| {
            Outcomes::of(settings, with_examples, stand_ins).expect("a folder").database.shown()
        };
        let (own, set) = (settings(""), settings("sqlite:/data/brain.db"));
        assert_eq!(path(&own, false, none), "/x/routing/brain.db");
        assert_eq!(path(&own, false, both), "/x/routing/demo.db");
        assert_eq!(path(&own, false, StandIns::ForClaude), "/x/routing/demo-real-local.db");
        assert_eq!(path(&set, false, both), "/data/brain.db");
        for settings in [own, set] {
            assert!(path(&settings, true, both).contains("/routing-examples-"));
        }
    }
}
