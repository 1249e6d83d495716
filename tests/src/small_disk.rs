//! A disk of a few MiB, to fill it: a file system in memory, mounted in a namespace of its own, so that the machine is
//! left as it is and no mount outlives the test.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use crate::postgres::is_root;

const FILLER: &str = "filler";
/// Written until nothing fits any more: large ones first, then a page of memory.
const PIECES: [usize; 2] = [1 << 20, 4096];
const CURE: &str =
    "run the tests as root with CAP_SYS_ADMIN, or allow user namespaces (sysctl user.max_user_namespaces)";

/// A small disk at a folder that only programs see which are started [within](SmallDisk::within) it.
pub struct SmallDisk {
    folder: TempDir,
    /// Keeps the namespace, and runs commands in it.
    shell: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl SmallDisk {
    /// Mounts one of this size.
    ///
    /// # Panics
    /// If it is not allowed; the message says how to allow it.
    #[must_use]
    pub fn of_mib(size: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Without root it takes a user namespace, in which whoever runs the tests may mount.
        let mut shell = Command::new("unshare")
            .args(if is_root() {
                &["--mount"][..]
            } else {
                &["--user", "--map-current-user", "--keep-caps", "--mount"]
            })
            .args(["sh", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs; it is in the package util-linux");
        let (input, output) = (shell.stdin.take(), BufReader::new(shell.stdout.take().expect("piped")));
        let mut disk = Self { folder, shell, input, output };
        disk.run(&format!("mount -t tmpfs -o size={size}m,mode=1777 none {}", disk.path().display()));
        disk
    }

    /// Where it is, for programs within.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What a command begins with, so that it runs where the disk is.
    #[must_use]
    pub fn within(&self) -> Vec<String> {
        let user: &[&str] = if is_root() { &[] } else { &["--user", "--preserve-credentials"] };
        let target = format!("--target={}", self.shell.id());
        [&["nsenter", &target, "--mount"], user, &["--"]].concat().iter().map(ToString::to_string).collect()
    }

    /// Writes a file until nothing fits any more.
    ///
    /// # Panics
    /// If something else prevents it.
    pub fn fill(&self) {
        let mut file = File::create(self.outside().join(FILLER)).expect("a file on the disk");
        for piece in PIECES {
            loop {
                match file.write(&vec![1; piece]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("the disk could not be filled: {error}"),
                }
            }
        }
    }

    /// Removes that file.
    ///
    /// # Panics
    /// If it is not there.
    pub fn free(&self) {
        std::fs::remove_file(self.outside().join(FILLER)).expect("the disk was filled");
    }

    /// Files that are opened from now on cannot be written; those that are open can, so the disk itself stays as it is.
    ///
    /// # Panics
    /// If it is not allowed.
    pub fn make_read_only(&mut self) {
        let path = self.path().display().to_string();
        self.run(&format!("mount --bind {path} {path} && mount -o remount,bind,ro {path}"));
    }

    /// Ends that.
    ///
    /// # Panics
    /// If it was not begun.
    pub fn make_writable(&mut self) {
        // Lazy: a program may have a file open.
        self.run(&format!("umount --lazy {}", self.path().display()));
    }

    /// Programs within see this file in place of another.
    ///
    /// # Panics
    /// If it is not allowed.
    pub fn show(&mut self, file: &Path, in_place_of: &str) {
        self.run(&format!("mount --bind {} {in_place_of}", file.display()));
    }

    /// The folder as programs elsewhere reach it.
    fn outside(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.shell.id(), self.path().display()))
    }

    fn run(&mut self, command: &str) {
        let sent = self.input.as_mut().map(|input| writeln!(input, "{command}; echo $?"));
        let mut status = String::new();
        let answered = self.output.read_line(&mut status);
        let done = sent.is_some_and(|sent| sent.is_ok()) && answered.is_ok() && status == "0\n";
        assert!(done, "no disk of its own for the test, because `{command}` failed, so {CURE}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The shell ends with its input, and the namespace with the last program in it.
        drop(self.input.take());
        let _ = self.shell.wait();
    }
}
