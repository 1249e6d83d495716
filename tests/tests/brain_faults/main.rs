//! A brain that hangs, drips, cuts, lies and floods at every point of an exchange, under load: each call has one
//! answer, by the rate that its record names or by none, each model call one record, each record reaches the brain or
//! is counted, and nothing is left behind (`tests/faults.toml`, rows 37, 38 and 47).
//!
//! Calls that wait for a pass rate share one request, so a row has fewer requests than calls: at least one for as many
//! calls as are in flight.

mod campaign;
mod counted;
mod decided;
mod deliveries;
mod entries;
mod exchanges;
mod held;
mod lies;
mod log_lies;
mod rates;
mod row;
mod table;
mod undelivered;

use tests::calls;

/// Calls in flight: few, so that many requests of a row ask for a rate.
const AT_A_TIME: usize = 20;

/// Calls of a row about an answer that is read the same way whatever else happens, or of one that no call waits for.
fn few() -> usize {
    calls::in_make_test(100)
}
