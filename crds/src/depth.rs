//! How deep a text is nested and how many values it has, measured before anything parses it.

/// The deepest nesting of a policy, in objects and arrays within each other: parsers and whatever walks a parsed policy
/// recurse, and the stack of a thread ends.
pub const MAX: usize = 100;

/// How many objects and arrays of a JSON text are open at once at most. A text that is not JSON has a depth, too.
#[must_use]
pub fn of_json(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// How many values a JSON text has at most: each but the first follows a bracket or a separator.
#[must_use]
pub fn values_of_json(text: &[u8]) -> usize {
    let mut values = 1;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' | b',' => values += 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    values
}

/// To the end of a string, past its escapes.
fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_except_in_strings() {
        for (text, depth) in [
            ("1", 0),
            ("{}", 1),
            (r#"{"a": [1, {"b": 2}], "c": {}}"#, 3),
            (r#"{"[[[[": "{{{{\"[[["}"#, 1),
            (r#"["\\", [["\\\\\""]]]"#, 3),
            ("]]]][", 1),
            (r#"["unended [[["#, 1),
        ] {
            assert_eq!(of_json(text), depth, "{text}");
        }
        for (text, values) in [("1", 1), ("[1,2,3]", 4), (r#"{"a,[{": "b,,", "c": []}"#, 4), (r#"["\\",{}]"#, 4)] {
            assert_eq!(values_of_json(text.as_bytes()), values, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(of_json(&deep), 1_000_000);
    }
}
