//! What a model call used and what it cost, as far as the endpoint says it. No I/O.

use crds::{
    table::TokenPrice,
    usage::{NANO, TOKENS_MAX, USD_MAX},
};
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::Value;

/// LiteLLM's header with the cost of a call, in US dollars.
const COST_HEADER: &str = "x-litellm-response-cost";

/// Tokens and cost of a model call; what the endpoint does not say is not known.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
    /// Those of the prompt that the provider had cached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    #[serde(flatten)]
    pub cost: Option<Cost>,
}

/// What a call cost.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    #[serde(rename = "cost_usd")]
    pub usd: f64,
    #[serde(rename = "cost_from")]
    pub from: CostFrom,
}

/// Who says what a call cost.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CostFrom {
    /// The gateway's header.
    Gateway,
    /// The model's price in the policy.
    Price,
}

impl Usage {
    /// Of an answer, whether or not it can be used; `price` counts only where the gateway names no cost.
    pub fn of(headers: &HeaderMap, body: &Value, price: Option<&TokenPrice>) -> Self {
        let tokens = Self::of_body(body.get("usage").unwrap_or(&Value::Null));
        let from_price = || Some(Cost { usd: cost_usd(&tokens, price?)?, from: CostFrom::Price });
        let from_gateway = of_header(headers).map(|usd| Cost { usd, from: CostFrom::Gateway });
        Self { cost: from_gateway.or_else(from_price), ..tokens }
    }

    /// OpenAI counts cached tokens among those of the prompt; Anthropic counts what it read from its cache, and wrote to
    /// it, beside them.
    fn of_body(usage: &Value) -> Self {
        let is_believed = |tokens: &u64| *tokens <= u64::from(TOKENS_MAX);
        let tokens = |path: &str| usage.pointer(path).and_then(Value::as_u64).filter(is_believed);
        let of_details =
            tokens("/prompt_tokens_details/cached_tokens").or(tokens("/input_tokens_details/cached_tokens"));
        let read = tokens("/cache_read_input_tokens");
        let beside = read.unwrap_or_default() + tokens("/cache_creation_input_tokens").unwrap_or_default();
        let of_anthropic =
            tokens("/input_tokens").map(|tokens| if of_details.is_some() { tokens } else { tokens + beside });
        let prompt_tokens = tokens("/prompt_tokens").or(of_anthropic);
        let cached = of_details.filter(|cached| *cached > 0).or(read).or(of_details);
        let completion_tokens = tokens("/completion_tokens").or(tokens("/output_tokens"));
        let within = |cached: u64| prompt_tokens.map_or(cached, |all| cached.min(all));
        Self { prompt_tokens, completion_tokens, cached_tokens: cached.map(within), cost: None }
    }

    /// Whether the endpoint said anything.
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }
}

fn of_header(headers: &HeaderMap) -> Option<f64> {
    let usd: f64 = headers.get(COST_HEADER)?.to_str().ok()?.trim().parse().ok()?;
    ((0.0..=USD_MAX).contains(&usd)).then_some(usd)
}

/// The cost in US dollars, to a billionth; none if the endpoint does not count both kinds of tokens.
fn cost_usd(usage: &Usage, price: &TokenPrice) -> Option<f64> {
    let (prompt, completion) = (usage.prompt_tokens?, usage.completion_tokens?);
    let cached = usage.cached_tokens.unwrap_or_default().min(prompt);
    // Tokens times millionths of a dollar per million tokens: 10^-12 dollars.
    let parts = [(prompt - cached, price.input), (cached, price.cached), (completion, price.output)];
    let pico: u128 = parts.into_iter().map(|(tokens, price)| u128::from(tokens) * u128::from(price)).sum();
    let nano = (pico + 500) / 1000;
    // At most 3 * 10^9 tokens times 10^5 dollars per million: far below what an f64 holds exactly enough.
    #[allow(clippy::cast_precision_loss)]
    Some(nano as f64 / NANO)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PRICE: TokenPrice = TokenPrice { input: 3_000_000, output: 15_000_000, cached: 300_000 };

    fn headers(cost: &str) -> HeaderMap {
        [(COST_HEADER.parse().expect("a name"), cost.parse().expect("a value"))].into_iter().collect()
    }

    /// Prompt, completion, cached, dollars.
    type Expected = (Option<u64>, Option<u64>, Option<u64>, Option<f64>);

    #[test]
    fn the_usage_of_every_kind_of_endpoint_is_read_and_priced() {
        let openai = json!({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100});
        let cached =
            json!({"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 800}});
        let anthropic = json!({"input_tokens": 150, "output_tokens": 100, "cache_read_input_tokens": 800,
            "cache_creation_input_tokens": 50});
        let through_litellm = json!({"prompt_tokens": 1000, "completion_tokens": 100, "cache_read_input_tokens": 800,
            "cache_creation_input_tokens": 50, "prompt_tokens_details": {"cached_tokens": 0}});
        let responses =
            json!({"input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 800}});
        let table: [(Value, Expected); 9] = [
            (openai, (Some(1000), Some(100), None, Some(0.0045))),
            (cached, (Some(1000), Some(100), Some(800), Some(0.00234))),
            (anthropic, (Some(1000), Some(100), Some(800), Some(0.00234))),
            (through_litellm, (Some(1000), Some(100), Some(800), Some(0.00234))),
            (responses, (Some(1000), Some(100), Some(800), Some(0.00234))),
            (json!({"prompt_tokens": 1, "completion_tokens": 1}), (Some(1), Some(1), None, Some(0.000_018))),
            (json!({"prompt_tokens": 10}), (Some(10), None, None, None)),
            (
                json!({"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 9}}),
                (Some(5), Some(0), Some(5), Some(0.000_001_5)),
            ),
            (
                json!({"prompt_tokens": -1, "completion_tokens": "9", "input_tokens": 2_000_000_000}),
                (None, None, None, None),
            ),
        ];
        for (usage, expected) in table {
            let read = Usage::of(&HeaderMap::new(), &json!({"usage": usage}), Some(&PRICE));
            let cost = read.cost.map(|cost| cost.usd);
            assert_eq!((read.prompt_tokens, read.completion_tokens, read.cached_tokens, cost), expected, "{usage}");
            assert!(read.cost.is_none_or(|cost| cost.from == CostFrom::Price));
        }
        assert!(!Usage::of(&HeaderMap::new(), &json!({"usage": null}), None).is_known());
    }

    #[test]
    fn the_gateways_cost_comes_first_and_nonsense_counts_as_none() {
        let body = json!({"usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
        let cost = |text: &str| Usage::of(&headers(text), &body, Some(&PRICE)).cost.expect("a cost");
        assert_eq!(cost("0.0071"), Cost { usd: 0.0071, from: CostFrom::Gateway });
        assert_eq!(cost("1.35e-05"), Cost { usd: 0.000_013_5, from: CostFrom::Gateway });
        assert_eq!(cost("0.0"), Cost { usd: 0.0, from: CostFrom::Gateway });
        for nonsense in ["None", "-1", "NaN", "inf", "1e9", "", "0,5"] {
            assert_eq!(cost(nonsense), Cost { usd: 0.0045, from: CostFrom::Price }, "{nonsense}");
        }
        assert_eq!(Usage::of(&HeaderMap::new(), &body, None).cost, None);
    }
}
