//! Which database the brain uses.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crds::variables::Reader;

use super::PostgresUrl;

/// Name of the file in the data folder.
const FILE: &str = "brain.db";
/// Where the first versions kept the file: below the folder in which the program is started.
const EARLIER: &str = ".routing/brain.db";
/// What a database's URL must be.
pub const RULE: &str = "must be sqlite:PATH, for example sqlite:/data/brain.db, or postgres://USER:PASSWORD@HOST/DATABASE with no \
     other parameters than sslmode, sslrootcert, sslcert, sslkey, application_name and those of the address";

/// Where entries are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The path of a SQLite file.
    Sqlite(PathBuf),
    /// A Postgres database.
    Postgres(PostgresUrl),
}

impl DatabaseUrl {
    /// Reads `sqlite:PATH`, `sqlite://PATH` or `postgres://…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(url) = PostgresUrl::parse(text) {
            return Some(Self::Postgres(url));
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"))?;
        let is_path = !path.is_empty() && !path.contains('?') && !path.starts_with(':');
        is_path.then(|| Self::sqlite(path))
    }

    /// The database in a SQLite file.
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(path.into())
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// The whole path, also if it was given relative to the folder in which the program runs; of a server no password.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
            Self::Postgres(url) => url.shown().into(),
        }
    }
}

/// Why the database is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `BRAIN_DATABASE_URL` sets it.
    Set,
    /// An earlier version created it in the folder in which the program runs.
    Earlier {
        /// Where a new one would be.
        instead: DatabaseUrl,
    },
    /// The user's data folder; for a user without a home the folder in which the program runs.
    DataFolder,
}

/// The file and why it is that one.
pub(super) fn from_variables(reader: &mut Reader<'_>) -> (DatabaseUrl, Place) {
    let set = reader.optional("BRAIN_DATABASE_URL", RULE, DatabaseUrl::parse);
    let data = data_folder(reader).map_or_else(|| PathBuf::from(EARLIER), |folder| folder.join(FILE));
    let earlier = is_own_file(Path::new(EARLIER)) && !data.exists();
    chosen(set, data, earlier)
}

/// Whether the user's own program may have created it: not one that came with a folder of somebody else.
fn is_own_file(path: &Path) -> bool {
    let is_own = |metadata: &Metadata| metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw();
    std::fs::metadata(path).is_ok_and(|metadata| is_own(&metadata))
}

fn chosen(set: Option<DatabaseUrl>, data: PathBuf, earlier_exists: bool) -> (DatabaseUrl, Place) {
    let data_folder = DatabaseUrl::sqlite(&data);
    match set {
        Some(set) => (set, Place::Set),
        None if earlier_exists && data != Path::new(EARLIER) => {
            (DatabaseUrl::sqlite(EARLIER), Place::Earlier { instead: data_folder })
        }
        None => (data_folder, Place::DataFolder),
    }
}

/// The user's data folder, as the XDG base directory specification has it: a relative path does not count.
fn data_folder(reader: &Reader<'_>) -> Option<PathBuf> {
    let absolute = |name: &str| reader.text(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(base.join("routing"))
}

#[cfg(test)]
mod tests {
    use crds::variables::Variables;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> (DatabaseUrl, Place) {
        let variables: Variables = variables.iter().copied().collect();
        from_variables(&mut Reader::new(&variables))
    }

    #[test]
    fn it_is_in_the_users_data_folder_unless_a_variable_sets_another() {
        for (variables, path) in [
            (vec![("XDG_DATA_HOME", "/x"), ("HOME", "/home/me")], "/x/routing/brain.db"),
            (vec![("HOME", "/home/me")], "/home/me/.local/share/routing/brain.db"),
            (vec![("XDG_DATA_HOME", ""), ("HOME", "/home/me")], "/home/me/.local/share/routing/brain.db"),
            (vec![("XDG_DATA_HOME", "x"), ("HOME", "/home/me")], "/home/me/.local/share/routing/brain.db"),
            (vec![("HOME", "me")], ".routing/brain.db"),
            (vec![], ".routing/brain.db"),
        ] {
            assert_eq!(read(&variables), (DatabaseUrl::sqlite(path), Place::DataFolder), "{variables:?}");
        }
        let set = [("BRAIN_DATABASE_URL", "sqlite:/data/brain.db"), ("XDG_DATA_HOME", "/x"), ("HOME", "/home/me")];
        assert_eq!(read(&set), (DatabaseUrl::sqlite("/data/brain.db"), Place::Set));
    }

    #[test]
    fn the_file_of_an_earlier_version_is_used_where_it_exists() {
        let (data, earlier) = (PathBuf::from("/x/routing/brain.db"), DatabaseUrl::sqlite(EARLIER));
        let instead = DatabaseUrl::sqlite(&data);
        assert_eq!(chosen(None, data.clone(), true), (earlier.clone(), Place::Earlier { instead }));
        let set = DatabaseUrl::sqlite("/data/brain.db");
        assert_eq!(chosen(Some(set.clone()), data, true), (set, Place::Set));
        assert_eq!(chosen(None, EARLIER.into(), true), (earlier, Place::DataFolder), "a user without a home");
    }
}
