//! Reads a policy and compiles it, and compiles again only what changed: the files are checked every few seconds.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use crds::{
    builtin::BuiltinPrompts, compile::is_reference, document::MAX_BYTES, pod::LAST_GOOD_FILE, policy::ConfigMapKeyRef,
};

use super::candidate::{self, Candidate, PolicyRefusal, PolicySource, Text, UnknownFields};

/// How often the texts of ConfigMaps are read anew because one of them changed meanwhile.
const TRIES: u32 = 5;

/// Reads one policy again and again.
pub struct PolicyReader {
    source: PolicySource,
    prompts: BuiltinPrompts,
    last: Mutex<Option<Compiled>>,
}

/// What the texts that were read last compiled to.
struct Compiled {
    policy: Text,
    config_maps: BTreeMap<ConfigMapKeyRef, Text>,
    result: Result<Candidate, PolicyRefusal>,
}

impl PolicyReader {
    pub fn new(source: PolicySource, prompts: BuiltinPrompts) -> Self {
        Self { source, prompts, last: Mutex::default() }
    }

    pub fn source(&self) -> &PolicySource {
        &self.source
    }

    /// The compiled policy; compiled anew only if the policy or a ConfigMap that it refers to has another text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self) -> Result<Candidate, PolicyRefusal> {
        // Replaced as a whole, so a panic elsewhere leaves nothing half done.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = self.policy();
        if let Some(last) = &*last
            && last.policy == policy
            && self.are_unchanged(&last.config_maps)
        {
            return last.result.clone();
        }
        *last = self.compile(policy);
        let unstable = || PolicyRefusal::of("policy", "its ConfigMaps change all the time while they are read".into());
        last.as_ref().map_or_else(|| Err(unstable()), |compiled| compiled.result.clone())
    }

    /// `last-good.yaml` beside the policy; none if there is no such file.
    pub fn read_last_good(&self) -> Option<Result<Candidate, PolicyRefusal>> {
        let PolicySource::File { path, config_maps } = &self.source else { return None };
        let last_good = path.parent().unwrap_or(Path::new("")).join(LAST_GOOD_FILE);
        let read = || read_file(&last_good, config_maps.as_deref(), &self.prompts, UnknownFields::WarnIfRendered);
        last_good.is_file().then(read)
    }

    /// The text of the policy file; always the same for a policy that the environment describes.
    fn policy(&self) -> Text {
        match &self.source {
            PolicySource::Environment(_) => Ok(String::new()),
            PolicySource::File { path, .. } => read_bounded(path),
        }
    }

    fn config_map(&self, reference: &ConfigMapKeyRef) -> Text {
        match &self.source {
            PolicySource::File { config_maps: Some(folder), .. } => read_config_map(folder, reference),
            PolicySource::File { .. } | PolicySource::Environment(_) => Err("is not read".into()),
        }
    }

    fn are_unchanged(&self, config_maps: &BTreeMap<ConfigMapKeyRef, Text>) -> bool {
        config_maps.iter().all(|(reference, text)| self.config_map(reference) == *text)
    }

    /// Compiles the policy with texts of one version: those of a ConfigMap are swapped together, and a swap may come
    /// between two of them. None if they never were.
    fn compile(&self, policy: Text) -> Option<Compiled> {
        for _ in 0..TRIES {
            let (result, config_maps) = self.compile_once(&policy);
            if self.are_unchanged(&config_maps) {
                return Some(Compiled { policy, config_maps, result });
            }
        }
        None
    }

    fn compile_once(&self, policy: &Text) -> (Result<Candidate, PolicyRefusal>, BTreeMap<ConfigMapKeyRef, Text>) {
        let mut read = BTreeMap::new();
        let result = match &self.source {
            PolicySource::Environment(spec) => candidate::from_environment(spec, &self.prompts),
            PolicySource::File { path, config_maps } => compile_file(
                path,
                policy,
                config_maps.as_deref(),
                &self.prompts,
                UnknownFields::WarnIfRendered,
                &mut read,
            ),
        };
        (result, read)
    }
}

/// Reads and compiles one policy file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_file(
    path: &Path,
    config_maps: Option<&Path>,
    prompts: &BuiltinPrompts,
    unknown: UnknownFields,
) -> Result<Candidate, PolicyRefusal> {
    compile_file(path, &read_bounded(path), config_maps, prompts, unknown, &mut BTreeMap::new())
}

/// Compiles the text of a policy file, and notes in `read` the texts of ConfigMaps that it needed.
fn compile_file(
    path: &Path,
    policy: &Text,
    config_maps: Option<&Path>,
    prompts: &BuiltinPrompts,
    unknown: UnknownFields,
    read: &mut BTreeMap<ConfigMapKeyRef, Text>,
) -> Result<Candidate, PolicyRefusal> {
    let text = policy.as_ref().map_err(|message| PolicyRefusal::of(path.display().to_string(), message.clone()))?;
    let mut config_map = config_maps.map(|folder| {
        // Each once: a text that changes meanwhile is the same everywhere in the compiled policy.
        |reference: &ConfigMapKeyRef| {
            read.entry(reference.clone()).or_insert_with(|| read_config_map(folder, reference)).clone()
        }
    });
    let config_map = config_map.as_mut().map(|read| read as &mut dyn FnMut(&ConfigMapKeyRef) -> Text);
    candidate::from_text(path, text, config_map, prompts, unknown)
}

fn read_config_map(folder: &Path, reference: &ConfigMapKeyRef) -> Result<String, String> {
    let ConfigMapKeyRef { name, key } = reference;
    if !is_reference(name) || !is_reference(key) {
        return Err("is not a name and key of a ConfigMap".into());
    }
    let path = folder.join(name).join(key);
    read_bounded(&path).map_err(|e| format!("{}: {e}", path.display()))
}

fn read_bounded(path: &Path) -> Result<String, String> {
    crate::still::read(path, MAX_BYTES as u64)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::Relaxed},
        },
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// Longest wait for texts that change while they are read.
    const LIMIT: Duration = Duration::from_secs(60);
    const POLICY: &str = "apiVersion: routing.hyperguild.io/v1alpha1
kind: RoutingPolicy
metadata: {name: routing}
spec:
  upstream: {url: http://litellm:4000}
  models: {local: {name: l}, claude: {name: c}}
  skills: [{name: debug, stages: [{system: {configMapKeyRef: {name: prompts, key: debug.md}}, user: x}]}]
";

    #[test]
    fn texts_that_changed_all_the_time_are_read_again_when_they_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, maps) = (folder.path().join("policy.yaml"), folder.path().join("maps"));
        fs::create_dir_all(maps.join("prompts")).expect("a folder");
        fs::write(&path, POLICY).expect("written");
        let place = |text: &str| {
            fs::write(maps.join("next"), text).expect("written");
            fs::rename(maps.join("next"), maps.join("prompts/debug.md")).expect("renamed");
        };
        place("first");
        let reader =
            PolicyReader::new(PolicySource::File { path, config_maps: Some(maps.clone()) }, BuiltinPrompts::default());

        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for count in (0..).take_while(|_| !stop.load(Relaxed)) {
                    place(&count.to_string());
                }
            });
            // A writer that the system holds up for a moment lets a reading succeed.
            let began = Instant::now();
            let mut readings = std::iter::repeat_with(|| reader.read()).take_while(|_| began.elapsed() < LIMIT);
            let refused = readings.find_map(Result::err);
            stop.store(true, Relaxed);
            assert!(refused.expect("a refusal").to_string().contains("change all the time"));
        });
        place("last");
        assert_eq!(reader.read().expect("valid").table.skills["debug"].stages[0].system.as_ref(), "last");
    }

    #[test]
    fn only_what_changed_is_compiled_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        };
        write("policy.yaml", POLICY);
        write("maps/prompts/debug.md", "first");
        let (path, config_maps) = (folder.path().join("policy.yaml"), Some(folder.path().join("maps")));
        let reader = PolicyReader::new(PolicySource::File { path, config_maps }, BuiltinPrompts::default());
        let read = || reader.read().expect("valid");

        let first = read();
        assert!(Arc::ptr_eq(&first.table, &read().table), "nothing changed");
        write("policy.yaml", POLICY);
        assert!(Arc::ptr_eq(&first.table, &read().table), "the same text was written again");
        write("maps/prompts/debug.md", "second");
        let second = read();
        assert_eq!(second.table.skills["debug"].stages[0].system.as_ref(), "second");
        assert!(Arc::ptr_eq(&second.table, &read().table));
        write("policy.yaml", "spec: 1");
        let refusal = reader.read().expect_err("it is not a policy");
        assert_eq!(reader.read().expect_err("it is still not a policy"), refusal);
        write("policy.yaml", POLICY);
        assert_eq!(read().hash, second.hash);
        for file in ["policy.yaml", "maps/prompts/debug.md"] {
            let text = fs::read_to_string(folder.path().join(file)).expect("text");
            fs::remove_file(folder.path().join(file)).expect("removed");
            assert!(reader.read().is_err_and(|refusal| refusal.to_string().contains("cannot be read")), "{file}");
            write(file, &text);
            assert_eq!(read().hash, second.hash, "{file} is back");
        }
    }
}
