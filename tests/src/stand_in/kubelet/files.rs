//! The files of a pod's projected volume.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{ConfigMap, Pod, ProjectedVolumeSource, Secret, VolumeProjection};

use super::Shared;

impl Shared {
    /// Writes the files of the pod's projected volume; false if something that is not optional is missing.
    pub(super) async fn write_files(&self, pod: &Pod, folder: &Path) -> bool {
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let projected = volumes.filter_map(|volume| volume.projected.as_ref());
        let mut files = BTreeMap::new();
        for ProjectedVolumeSource { sources, .. } in projected {
            for source in sources.iter().flatten() {
                if !self.project(source, &mut files).await {
                    return false;
                }
            }
        }
        replace_files(folder, &files);
        true
    }

    async fn project(&self, source: &VolumeProjection, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> bool {
        if let Some(projection) = &source.config_map {
            let Ok(Some(map)) = self.api::<ConfigMap>().get_opt(&projection.name).await else {
                return projection.optional == Some(true);
            };
            files.extend(map.data.unwrap_or_default().into_iter().map(|(key, text)| (key.into(), text.into_bytes())));
            let spoiled = self.spoiled.lock().expect("no panic while locked").clone();
            files.extend(spoiled.map(|text| (PathBuf::from("policy.yaml"), text.into_bytes())));
        }
        if let Some(projection) = &source.secret {
            let Ok(Some(secret)) = self.api::<Secret>().get_opt(&projection.name).await else {
                return projection.optional == Some(true);
            };
            let data = secret.data.unwrap_or_default();
            for item in projection.items.iter().flatten() {
                files.extend(data.get(&item.key).map(|bytes| (item.path.clone().into(), bytes.0.clone())));
            }
        }
        true
    }
}

fn replace_files(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        let new = path.with_extension("new");
        fs::write(&new, content).expect("written");
        fs::rename(new, path).expect("renamed");
    }
    for stale in files_below(folder).into_iter().filter(|path| {
        let relative = path.strip_prefix(folder).expect("below");
        !files.contains_key(relative) && relative != Path::new("log")
    }) {
        fs::remove_file(stale).expect("removed");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
