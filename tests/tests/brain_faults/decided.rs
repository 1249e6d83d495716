//! What a record must say by `contract`, parts 2 and 4.

use serde_json::Value;

/// The thresholds of a policy that names none.
const FLOOR: f64 = 0.9;
const CEIL: f64 = 0.7;

/// Whether a record is decided by the rate that it names itself.
pub fn is_by_its_rate(record: &Value) -> bool {
    let hash = record["hash"].as_str().and_then(|hash| u64::from_str_radix(hash, 16).ok()).expect("a hash");
    let by_hash = if hash.is_multiple_of(2) { "local" } else { "claude" };
    let expected = match record["pass_rate"].as_f64() {
        None => ("local", "no_pass_rate"),
        Some(_) if record["samples"] == 0 => ("local", "too_few_samples"),
        Some(rate) if rate >= FLOOR => ("local", "at_or_above_floor"),
        Some(rate) if rate < CEIL => ("claude", "below_ceil"),
        Some(_) => (by_hash, "split"),
    };
    record["decision"] == expected.0 && record["reason"] == expected.1 && record["error"].is_null()
}

/// The message of the entry of this record.
pub fn message(record: &Value) -> String {
    let counts = record["pass_rate"].as_f64().filter(|_| record["reason"] != "too_few_samples");
    let rate = counts.map_or("null".into(), |rate| format!("{rate:.2}"));
    let text = |field: &str| record[field].as_str().unwrap_or_default().to_string();
    format!("{}: {} — model={}, pass_rate={rate}", text("skill"), text("decision"), text("model"))
}
