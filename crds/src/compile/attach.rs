//! The rules about arguments that a client beside the project fills.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::errors::Errors;
use crate::{
    FieldError, arguments,
    policy::{
        Attach,
        attach::{ATTACH_MAX, ATTACH_ONE, LINES_MAX},
    },
};

/// The entries whose arguments are all declared.
pub(super) fn that_fit(attach: &[Attach], declared: Option<&BTreeSet<String>>) -> Vec<Attach> {
    let known = |name: &String| declared.is_none_or(|declared| declared.contains(name));
    let fits = |one: &&Attach| known(&one.argument) && one.from_files_in.as_ref().is_none_or(known);
    attach.iter().filter(fits).cloned().collect()
}

/// The list, checked against the schema of the skill's arguments.
pub(super) fn checked(
    path: &str,
    attach: &[Attach],
    schema: Option<&Map<String, Value>>,
    errors: &mut Errors,
) -> Vec<Attach> {
    errors.check(path, attach.len(), attach.len() <= ATTACH_MAX, format!("must be at most {ATTACH_MAX} arguments"));
    for (i, one) in attach.iter().take(ATTACH_MAX).enumerate() {
        let path = format!("{path}[{i}]");
        let Attach { argument, from_files_in, from_git, from_last_lines } = one;
        let given = [from_files_in.is_some(), from_git.is_some(), from_last_lines.is_some()];
        let of_one = given.iter().filter(|given| **given).count() == 1;
        if !of_one {
            errors.push(FieldError::absent(&path, ATTACH_ONE));
        }
        let once = !attach[..i].iter().any(|earlier| earlier.argument == *argument);
        errors.check(format!("{path}.argument"), argument, once, "is already filled by an entry above; remove one");
        let of_another = from_files_in.as_ref() != Some(argument);
        let filled = (of_one && of_another).then_some(if from_files_in.is_some() { "object" } else { "string" });
        check_argument(&format!("{path}.argument"), argument, filled, schema, errors);
        if let Some(list) = from_files_in {
            check_argument(&format!("{path}.fromFilesIn"), list, of_another.then_some("array"), schema, errors);
            let other = "must be another argument, which lists the paths";
            errors.check(format!("{path}.fromFilesIn"), list, of_another, other);
        }
        if let Some(lines) = from_last_lines {
            let message = format!("must be from 1 to {LINES_MAX}");
            errors.check(format!("{path}.fromLastLines"), lines, (1..=LINES_MAX).contains(lines), message);
        }
    }
    attach.to_vec()
}

/// The schema has an argument, and of the type of what is filled in, as far as it says so.
fn check_argument(
    path: &str,
    name: &String,
    filled: Option<&str>,
    schema: Option<&Map<String, Value>>,
    errors: &mut Errors,
) {
    let declared = schema.and_then(arguments::declared);
    let is_declared = declared.is_none_or(|declared| declared.contains(name));
    let undeclared = "is no argument of the skill's inputSchema; declare it there, or correct the name";
    errors.check(path, name, is_declared, undeclared);
    if let Some((schema, filled)) = schema.zip(filled) {
        let fits = arguments::may_be(schema, name, filled);
        errors.check(path, name, fits, format!("must have type: {filled} in the skill's inputSchema"));
    }
}
