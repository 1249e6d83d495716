//! A language model that really runs, which takes one processor for minutes, and meanwhile what mostly waits: for pauses
//! of a circuit, for the end of a process, for alerts. The tests of one program run at the same time; programs of tests
//! run one after the other.

// The longest. Tests are started in the order of their names.
mod a_real_model;
mod burst;
mod circuit;
mod clock;
mod kept_local;
mod listening;
mod monitoring;
mod review;
mod shutdown;
mod trials;
