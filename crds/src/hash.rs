//! The hash that identifies the config of a replica.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a document as canonical JSON (keys sorted, no white space), in hex. Taken before unknown fields are
/// dropped, so that an older and a newer version compute the same hash.
#[must_use]
pub fn config_hash(document: &Value) -> String {
    let mut canonical = document.clone();
    canonical.sort_all_objects();
    hex(&Sha256::digest(canonical.to_string().as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neither_key_order_nor_white_space_counts_but_every_value_does() {
        let parse = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
        let hash = config_hash(&parse(r#"{"a": {"x": 1, "y": [1, 2]}, "b": "c"}"#));
        assert_eq!(hash, config_hash(&parse(r#"{"b":"c","a":{"y":[1,2],"x":1}}"#)));
        assert_ne!(hash, config_hash(&parse(r#"{"b":"c","a":{"y":[2,1],"x":1}}"#)));
        assert_eq!(config_hash(&json!({})), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
