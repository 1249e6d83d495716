use std::{
    fs::File,
    io::Write,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::mpsc::{self, Receiver},
    thread::JoinHandle,
};

use super::*;

/// Writes 20 lines with pauses between them, and tells of each.
fn written_slowly(mut file: File) -> (JoinHandle<()>, Receiver<()>) {
    let (begun, begins) = mpsc::channel();
    let writer = thread::spawn(move || {
        for i in 0..20 {
            writeln!(file, "line {i}").expect("written");
            begun.send(()).expect("somebody waits");
            thread::sleep(STILL / 10);
        }
    });
    (writer, begins)
}

fn is_read_when_it_is_whole(path: &Path, (writer, begins): (JoinHandle<()>, Receiver<()>)) {
    begins.recv().expect("a first line");
    let text = read(path, 1000).expect("a text");
    assert_eq!(text.lines().count(), 20, "{text}");
    writer.join().expect("ends");
}

/// A volume with a file in a folder: where it is seen, and where it is.
fn volume(folder: &Path) -> (PathBuf, PathBuf) {
    let file = folder.join("..one/secrets/KEY");
    fs::create_dir_all(folder.join("..one/secrets")).expect("folders");
    fs::write(&file, "value").expect("written");
    symlink("..one", folder.join(DATA)).expect("a link");
    symlink(Path::new(DATA).join("secrets"), folder.join("secrets")).expect("a link");
    (folder.join("secrets/KEY"), file)
}

fn metadata(path: &Path) -> Metadata {
    fs::metadata(path).expect("a file")
}

#[test]
fn a_file_that_is_being_written_is_read_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let writing = written_slowly(File::create(&path).expect("a file"));
    is_read_when_it_is_whole(&path, writing);
}

#[test]
fn a_file_whose_writer_renames_it_before_it_is_whole_is_read_when_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (beside, path) = (folder.path().join("beside"), folder.path().join("file"));
    let mut file = File::create(&beside).expect("a file");
    writeln!(file, "the first of 20 lines").expect("written");
    // As if the writer had rested since.
    let written = metadata(&beside).modified().expect("a time");
    file.set_modified(written - STILL * 100).expect("set");
    fs::rename(&beside, &path).expect("renamed");
    let renamed = metadata(&path);
    assert_eq!(rest(&renamed, None, placed(&renamed)).expect("a time"), STILL, "its name is new");
    let (goes_on, waits) = mpsc::channel();
    let writer = thread::spawn(move || {
        waits.recv().expect("the reader begins");
        for i in 1..20 {
            thread::sleep(STILL / 10);
            writeln!(file, "line {i}").expect("written");
        }
    });
    goes_on.send(()).expect("the writer waits");
    let text = read(&path, 1000).expect("a text");
    assert_eq!(text.lines().count(), 20, "{text}");
    writer.join().expect("ends");
}

#[test]
fn a_file_that_is_as_old_as_the_link_of_its_volume_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (seen, file) = volume(folder.path());
    let (file, link) = (metadata(&file), linked(&seen).expect("a link"));
    let written = file.modified().expect("a time");
    let now = written.max(placed(&file));
    let rest = |linked, now| rest(&file, linked, now).expect("a time");
    assert_eq!(rest(Some(link), now), Duration::ZERO, "the link was made after it");
    assert_eq!(rest(Some(written - Duration::from_millis(1)), now), STILL, "it was written to since");
    assert_eq!((rest(None, now), rest(None, now + STILL)), (STILL, Duration::ZERO));
    assert_eq!(rest(None, written - STILL), STILL, "the clock was set back");
    assert_eq!(read(&seen, 10).as_deref(), Ok("value"));
}

#[test]
fn only_what_leads_through_the_link_of_a_volume_is_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (seen, file) = volume(folder.path());
    let (beside, elsewhere) = (folder.path().join("beside"), folder.path().join("elsewhere"));
    fs::write(&beside, "written in place").expect("written");
    symlink("beside", &elsewhere).expect("a link");
    assert!(linked(&seen).is_some());
    for path in [&file, &beside, &elsewhere, &folder.path().join("none")] {
        assert_eq!(linked(path), None, "{}", path.display());
    }
}

#[test]
fn a_file_of_a_volume_that_is_written_in_place_is_read_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (seen, file) = volume(folder.path());
    let link = linked(&seen).expect("a link");
    // Times of files advance in steps of some milliseconds.
    let emptied = loop {
        let emptied = File::create(&file).expect("emptied");
        if metadata(&file).modified().expect("a time") > link {
            break emptied;
        }
    };
    is_read_when_it_is_whole(&seen, written_slowly(emptied));
}

#[test]
fn what_is_no_file_or_too_large_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    assert_eq!(read(folder.path(), 10), Err("is not a file".into()));
    assert!(read(&file, 10).is_err_and(|error| error.starts_with("cannot be read: ")));
    fs::write(&file, "eleven byte").expect("written");
    assert_eq!(read(&file, 10), Err("is larger than 10 bytes".into()));
    assert_eq!(read(&file, 11).as_deref(), Ok("eleven byte"));
}
