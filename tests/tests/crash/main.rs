//! What a crash leaves: kill -9 of the brain and of Postgres during writes, and a database that fails for a while. An entry
//! that was acknowledged is there afterwards, once; one that was refused is not.

mod disk;
mod faults;
mod kill;
mod left_open;
mod writers;
