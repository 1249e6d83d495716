//! A template and a caller's arguments: prompts are bounded, and errors show no value.
//!
//! A template that does more than fill in values is rendered by the programs in a process of its own, with limits of its
//! memory and time; here it is parsed alone.

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

/// `TEMPLATE NUL ARGUMENTS`.
pub fn check(input: &[u8]) {
    let Some((template, arguments)) = two_texts(input).filter(|(template, _)| template.len() <= TEMPLATE_MAX) else {
        return;
    };
    let mut arguments = object(arguments).unwrap_or_default();
    arguments.insert("canary".into(), CANARY.into());
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
    let file = FileMaterial { path: "a.rs".into(), content: Some(CANARY.into()), error: None };
    let session = [Value::from(CANARY)];
    let input = TemplateInput { args: arguments, previous: Some(CANARY), files: &[file], session: &session };
    let rendered = render(template.text(), &input);
    assert_eq!(rendered, render(template.text(), &input), "it is a function");
    match rendered {
        Ok(prompt) => assert!(prompt.len() <= OUTPUT_MAX_BYTES, "{} bytes", prompt.len()),
        Err(error) => {
            assert_is_a_line(&error.to_string(), ERROR_MAX);
            if !template.text().contains(CANARY) {
                assert_has_no_canary(&error.to_string());
            }
        }
    }
}
