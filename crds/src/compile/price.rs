//! The rules about prices.

use super::errors::Errors;
use crate::{policy::Price, table::TokenPrice, usd::Usd};

pub(super) fn compile(path: &str, price: &Price, errors: &mut Errors) -> Option<TokenPrice> {
    let Price { input, output, cached } = price;
    let mut amount = |field: &str, usd: &Usd| errors.take(format!("{path}.{field}"), usd.text(), usd.micros());
    let (input, output) = (amount("input", input), amount("output", output));
    let cached = match cached {
        Some(cached) => amount("cached", cached),
        None => input,
    };
    Some(TokenPrice { input: input?, output: output?, cached: cached? })
}
