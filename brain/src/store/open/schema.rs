//! Whether a database has the schema of this version.

use sqlx::{AnyConnection, migrate::Migrator};

use super::{NEWER, sqlite::Why};

/// Without it a database was not made by a brain. In SQLite the names of tables are in one place, in Postgres in another.
const TABLES: &str = "_sqlx_migrations";
const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
const OLDER: &str =
    "an earlier version wrote it: start the brain of this version on it once, which brings it up to date";
const NOT_A_BRAINS: &str = "it is not a brain's database: name one that is";

/// Refuses a database that this version did not write, without changing it. `cure`: what to do about a failure.
pub(super) async fn check(
    connection: &mut AnyConnection,
    own: &Migrator,
    cure: fn(&sqlx::Error) -> &'static str,
) -> Result<(), Why> {
    let applied: Vec<(i64, Vec<u8>)> = match sqlx::query_as(APPLIED).fetch_all(connection).await {
        Ok(applied) => applied,
        Err(error) if error.to_string().contains(TABLES) => return Err((NOT_A_BRAINS, error.into())),
        Err(error) => return Err((cure(&error), error.into())),
    };
    let own: Vec<(i64, Vec<u8>)> = own.iter().map(|one| (one.version, one.checksum.to_vec())).collect();
    compare(&own, &applied).map_err(|cure| {
        let (found, this) = (newest(&applied), newest(&own));
        (cure, format!("its schema is of version {found}, and this program's is {this}").into())
    })
}

fn newest(migrations: &[(i64, Vec<u8>)]) -> i64 {
    migrations.last().map(|(version, _)| *version).unwrap_or_default()
}

/// What to do if they differ.
fn compare(own: &[(i64, Vec<u8>)], applied: &[(i64, Vec<u8>)]) -> Result<(), &'static str> {
    if !applied.iter().all(|one| own.contains(one)) {
        return Err(NEWER);
    }
    if applied.len() < own.len() { Err(OLDER) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_newer_older_or_changed_is_told_from_this_versions() {
        let own = [(1, vec![1]), (2, vec![2])];
        for (applied, expected) in [
            (own.to_vec(), Ok(())),
            (vec![(1, vec![1])], Err(OLDER)),
            (vec![], Err(OLDER)),
            (vec![(1, vec![1]), (2, vec![2]), (3, vec![3])], Err(NEWER)),
            (vec![(1, vec![1]), (2, vec![9])], Err(NEWER)),
        ] {
            assert_eq!(compare(&own, &applied), expected, "{applied:?}");
        }
    }
}
