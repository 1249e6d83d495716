//! A volume as the kubelet writes it: files link through `..data` into a folder that is swapped as a whole.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// Where its files link through.
const DATA: &str = "..data";

/// Writes the files of a volume anew, all at once; `generation` names their folder, for example `..one`. The folder
/// before is removed, as whoever reads a file of it has it open.
///
/// # Panics
/// If it cannot be written.
pub fn swap(volume: &Path, generation: &str, files: &[(&str, &str)]) {
    let folder = volume.join(generation);
    fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("written");
    }
    let before: Option<PathBuf> = fs::read_link(volume.join(DATA)).ok();
    let new = volume.join("..data_tmp");
    symlink(generation, &new).expect("a link");
    fs::rename(new, volume.join(DATA)).expect("swapped");
    for (name, _) in files {
        let link = volume.join(name);
        if !link.is_symlink() {
            symlink(Path::new(DATA).join(name), link).expect("a link");
        }
    }
    before.map(|before| fs::remove_dir_all(volume.join(before))).transpose().expect("removed");
}
