//! The rules about arguments that a client beside the project fills.

use std::collections::BTreeSet;

use super::errors::Errors;
use crate::{
    FieldError,
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

/// The list, checked; `declared` are the arguments of the skill's schema, none if it allows any.
pub(super) fn checked(
    path: &str,
    attach: &[Attach],
    declared: Option<&BTreeSet<String>>,
    errors: &mut Errors,
) -> Vec<Attach> {
    errors.check(path, attach.len(), attach.len() <= ATTACH_MAX, format!("must be at most {ATTACH_MAX} arguments"));
    for (i, one) in attach.iter().take(ATTACH_MAX).enumerate() {
        let path = format!("{path}[{i}]");
        let Attach { argument, from_files_in, from_git, from_last_lines } = one;
        let given = [from_files_in.is_some(), from_git.is_some(), from_last_lines.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            errors.push(FieldError::absent(&path, ATTACH_ONE));
        }
        let once = !attach[..i].iter().any(|earlier| earlier.argument == *argument);
        errors.check(format!("{path}.argument"), argument, once, "is already filled by an entry above; remove one");
        let is_declared = |name: &String| declared.is_none_or(|declared| declared.contains(name));
        let undeclared = "is no argument of the skill's inputSchema; declare it there, or correct the name";
        errors.check(format!("{path}.argument"), argument, is_declared(argument), undeclared);
        if let Some(list) = from_files_in {
            errors.check(format!("{path}.fromFilesIn"), list, is_declared(list), undeclared);
            let other = "must be another argument, which lists the paths";
            errors.check(format!("{path}.fromFilesIn"), list, list != argument, other);
        }
        if let Some(lines) = from_last_lines {
            let message = format!("must be from 1 to {LINES_MAX}");
            errors.check(format!("{path}.fromLastLines"), lines, (1..=LINES_MAX).contains(lines), message);
        }
    }
    attach.to_vec()
}
