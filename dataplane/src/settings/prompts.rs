//! Prompt files that replace the built-in texts.

use std::path::Path;

use crds::{
    builtin::{BuiltinPrompts, PROMPT_FILES},
    variables::Variables,
};

/// Folder of the prompt files in the image.
const DEFAULT_FOLDER: &str = "/app/config/supervisor";
const VARIABLE: &str = "SUPERVISOR_CONFIG_DIR";

/// Reads the five prompts: from the folder that the variable names, otherwise from the image's folder if it exists,
/// otherwise the texts compiled in.
pub(super) fn read(variables: &Variables) -> Result<BuiltinPrompts, Vec<String>> {
    choose(variables.get(VARIABLE).map(Path::new), Path::new(DEFAULT_FOLDER))
}

fn choose(named: Option<&Path>, default: &Path) -> Result<BuiltinPrompts, Vec<String>> {
    match named {
        Some(folder) => read_folder(folder),
        None if default.is_dir() => read_folder(default),
        None => Ok(BuiltinPrompts::default()),
    }
}

fn read_folder(folder: &Path) -> Result<BuiltinPrompts, Vec<String>> {
    let read = |(file, _): &(&str, &str)| match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => Ok(((*file).to_string(), text)),
        Err(e) => {
            Err(format!("{VARIABLE}: {}: {e}; the folder must hold all five prompt files", folder.join(file).display()))
        }
    };
    let (texts, errors): (Vec<_>, Vec<_>) = PROMPT_FILES.iter().map(read).partition(Result::is_ok);
    if errors.is_empty() {
        Ok(BuiltinPrompts::with_files(texts.into_iter().flatten()))
    } else {
        Err(errors.into_iter().filter_map(Result::err).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_1_the_default_folder_is_used_if_it_exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let default = folder.path().join("supervisor");
        assert_eq!(choose(None, &default), Ok(BuiltinPrompts::default()), "it does not exist");
        std::fs::create_dir(&default).expect("a folder");
        for (file, _) in PROMPT_FILES {
            std::fs::write(default.join(file), "from the folder").expect("written");
        }
        assert_ne!(choose(None, &default), Ok(BuiltinPrompts::default()));
        let named = folder.path().join("named");
        assert!(choose(Some(&named), &default).is_err_and(|errors| errors.len() == 5), "only the named one counts");
    }
}
