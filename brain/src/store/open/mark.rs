//! Whether a file was closed as it should be, as the file says itself: in `user_version`, which has no other use here. That
//! SQLite's log is beside it says less: whatever opens and closes the file after a crash, such as a backup, removes the log.

use sqlx::AnyConnection;

/// What a file says after it was closed; those of earlier versions say it always.
pub(super) const CLOSED: &str = "PRAGMA user_version = 1";
/// What a file says from when a brain opens it until that closes it.
pub(super) const OPENED: &str = "PRAGMA user_version = 2";
/// See [`OPENED`].
const IS_OPENED: i64 = 2;
const MARK: &str = "PRAGMA user_version";

/// Whether a file says that a brain has opened it and did not close it.
pub(super) async fn is_opened(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let mark: i64 = sqlx::query_scalar(MARK).fetch_one(connection).await?;
    Ok(mark == IS_OPENED)
}
