//! A template and a caller's arguments: prompts are bounded, and errors show no value.
//!
//! A template that does more than fill in values is parsed alone here: `rendering` has the process that renders it.

use crds::template::{FileMaterial, OUTPUT_MAX_BYTES, Template, TemplateInput, render};
use serde_json::{Map, Value};

use crate::{
    input::{object, two_texts, with_a_large_stack},
    text::{CANARY, assert_has_no_canary, assert_is_a_line},
};

/// Longest template, in bytes: that of a policy.
const TEMPLATE_MAX: usize = 64 * 1024;
/// Longest error, in characters: it may name what the template itself names.
const ERROR_MAX: usize = 10 * TEMPLATE_MAX;

/// `TEMPLATE NUL ARGUMENTS`: a template as long as a policy may have it, and arguments with a secret; none: it is longer.
pub fn parts(input: &[u8]) -> Option<(&str, Map<String, Value>)> {
    let (template, arguments) = two_texts(input).filter(|(template, _)| template.len() <= TEMPLATE_MAX)?;
    let mut arguments = object(arguments).unwrap_or_default();
    arguments.insert("canary".into(), CANARY.into());
    Some((template, arguments))
}

/// Does something with these arguments and all else that a template can have. Each holds a secret.
pub fn with_values<T>(arguments: &Map<String, Value>, work: impl FnOnce(&TemplateInput<'_>) -> T) -> T {
    let file = FileMaterial { path: "a.rs".into(), content: Some(CANARY.into()), error: None };
    let session = [Value::from(CANARY)];
    work(&TemplateInput { args: arguments, previous: Some(CANARY), files: &[file], session: &session })
}

/// See [`parts`].
pub fn check(input: &[u8]) {
    let Some((template, arguments)) = parts(input) else { return };
    with_a_large_stack(|| match Template::parse(template) {
        Ok(parsed) => of_template(&parsed, &arguments),
        Err(errors) => assert!(!errors.is_empty()),
    });
}

fn of_template(template: &Template, arguments: &Map<String, Value>) {
    for first_stage in [true, false] {
        template.unknown_variables(first_stage, None).iter().for_each(|error| {
            assert_is_a_line(&error.to_string(), ERROR_MAX);
        });
    }
    if !template.is_plain() {
        return;
    }
    let rendered = with_values(arguments, |values| {
        let rendered = render(template.text(), values);
        assert_eq!(rendered, render(template.text(), values), "it is a function");
        rendered
    });
    match rendered {
        Ok(prompt) => assert!(prompt.len() <= OUTPUT_MAX_BYTES, "{} bytes", prompt.len()),
        Err(error) => assert_shows_no_value(template, &error.to_string()),
    }
}

/// Asserts that an error is a line without a secret, unless the template itself has it.
pub fn assert_shows_no_value(template: &Template, error: &str) {
    assert_is_a_line(error, ERROR_MAX);
    if !template.text().contains(CANARY) {
        assert_has_no_canary(error);
    }
}
