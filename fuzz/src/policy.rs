//! A policy's file: every refusal is a line, and what the operator renders of a policy compiles to the same table.

use crds::{Document, RoutingPolicySpec, RoutingTable, builtin::BuiltinPrompts, compile};
use operator::controller::render::render;

use crate::{input::with_a_large_stack, text::assert_is_a_line};

/// Longest line of an error, in characters. Hidden ones are written as `\u{…}`, with at most 10.
const LINE_MAX: usize = 10_000;

/// The text of the file.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    with_a_large_stack(|| match Document::parse(text) {
        Ok(document) => of_document(&document),
        // Of many errors each is a line.
        Err(error) => assert_is_a_line(&error.to_string(), 50 * LINE_MAX),
    });
}

fn of_document(document: &Document) {
    document.unknown_field_errors().iter().for_each(|error| assert_is_a_line(&error.to_string(), LINE_MAX));
    match compiled(&document.policy.spec) {
        Ok(table) => of_table(document, &table),
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(|error| assert_is_a_line(error, LINE_MAX));
        }
    }
}

/// The table without the port, which is not part of what is rendered.
fn compiled(spec: &RoutingPolicySpec) -> Result<String, Vec<String>> {
    let table = compile(spec, &BuiltinPrompts::default());
    let table = table.map_err(|errors| errors.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(format!("{:#?}", RoutingTable { port: 0, ..table }))
}

fn of_table(document: &Document, table: &str) {
    assert_eq!(compiled(&document.policy.spec).as_deref(), Ok(table), "it is a function");
    // What is too large for a ConfigMap is refused by the operator.
    let Ok(rendered) = render("routing", &document.policy.spec, &[]) else { return };
    let read = Document::parse(&rendered.text).expect("what is rendered is a policy");
    assert_eq!(read.hash, rendered.hash);
    assert_eq!(read.unknown_fields, Vec::<String>::new());
    assert_eq!(compiled(&read.policy.spec).as_deref(), Ok(table));
    assert_eq!(render("routing", &read.policy.spec, &[]), Ok(rendered), "rendering it again changes nothing");
}
