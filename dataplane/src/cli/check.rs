//! `routing check`.

use std::{iter, process::ExitCode};

use crds::builtin::BuiltinPrompts;
use serde_json::{Value, json};

use super::{CheckArgs, CliError, Output};
use crate::config::{
    candidate::{Candidate, PolicyRefusal, UnknownFields},
    reader::read_file,
};

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let prompts = BuiltinPrompts::default();
    let mut valid = true;
    let mut report = vec![];
    for path in &args.policies {
        let result = read_file(path, args.configmaps.as_deref(), &prompts, UnknownFields::Refuse);
        valid &= result.is_ok();
        report.push((path.display().to_string(), result));
    }
    match args.output {
        Output::Text => report.iter().for_each(|(path, result)| println!("{}", text(path, result))),
        Output::Json => println!("{}", Value::from_iter(report.iter().map(|(path, result)| structured(path, result)))),
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(path: &str, result: &Result<Candidate, PolicyRefusal>) -> String {
    match result {
        Ok(candidate) => {
            let skills: Vec<&str> = candidate.table.skills.keys().map(String::as_str).collect();
            let valid = format!("{path}: valid; skills {}; config hash {}", skills.join(", "), candidate.hash);
            let warnings = candidate.table.warnings().into_iter().map(|warning| format!("{path}: warning: {warning}"));
            iter::once(valid).chain(warnings).collect::<Vec<_>>().join("\n")
        }
        Err(refusal) => refusal.to_string(),
    }
}

fn structured(path: &str, result: &Result<Candidate, PolicyRefusal>) -> Value {
    match result {
        Ok(candidate) => {
            let skills: Vec<&String> = candidate.table.skills.keys().collect();
            json!({"file": path, "valid": true, "configHash": candidate.hash, "skills": skills, "problems": [],
                "warnings": candidate.table.warnings()})
        }
        Err(refusal) => json!({"file": path, "valid": false, "problems": refusal.problems, "warnings": []}),
    }
}
