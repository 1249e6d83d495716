//! Prompt files that replace the built-in texts.

use std::path::Path;

use crds::builtin::{BuiltinPrompts, PROMPT_FILES};

use super::Variables;

/// Folder of the prompt files in the image.
const DEFAULT_FOLDER: &str = "/app/config/supervisor";
const VARIABLE: &str = "SUPERVISOR_CONFIG_DIR";

/// Reads the five prompts: from the folder that the variable names, else from the image's if there is one, else those
/// compiled in.
pub(super) fn read(variables: &Variables) -> Result<BuiltinPrompts, Vec<String>> {
    let named = variables.get(VARIABLE).filter(|folder| !folder.is_empty());
    match named {
        Some(folder) => read_folder(Path::new(folder)),
        None if Path::new(DEFAULT_FOLDER).is_dir() => read_folder(Path::new(DEFAULT_FOLDER)),
        None => Ok(BuiltinPrompts::default()),
    }
}

fn read_folder(folder: &Path) -> Result<BuiltinPrompts, Vec<String>> {
    let read = |(file, _): &(&str, &str)| match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => Ok(((*file).to_string(), text)),
        Err(e) => Err(format!(
            "{VARIABLE}: {}: {e}; all five prompt files are read from this folder",
            folder.join(file).display()
        )),
    };
    let (texts, errors): (Vec<_>, Vec<_>) = PROMPT_FILES.iter().map(read).partition(Result::is_ok);
    if errors.is_empty() {
        Ok(BuiltinPrompts::with_files(texts.into_iter().flatten()))
    } else {
        Err(errors.into_iter().filter_map(Result::err).collect())
    }
}
