//! Files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// A file that could not be written, at which step, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {source}", path.display())]
pub struct AtomicWriteError {
    /// What was being done, as it follows "cannot"; it tells whether the file's old content is still there.
    pub step: &'static str,
    /// The file that was to be written.
    pub path: PathBuf,
    /// What the system answered.
    pub source: io::Error,
}

/// Writes `bytes` as the file `path`, replacing it if it exists.
///
/// The bytes go into a temporary file beside the target, to the disk, and then under the target's name in one
/// step; at last the folder's entry goes to the disk. Whoever reads `path`, at any moment, even after a power
/// cut, finds the old content or the new one.
///
/// # Errors
/// The step that failed. A step after the replacement says so: the new content is in place then, and only its
/// survival of a power cut is in doubt.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), AtomicWriteError> {
    write_to(&System, path, bytes, Existing::Replaced)
}

/// Writes `bytes` as the file `path` unless it exists; of several processes that do so, one succeeds.
///
/// # Errors
/// The step that failed. That the file exists is no error.
pub fn write_once(path: &Path, bytes: &[u8]) -> Result<(), AtomicWriteError> {
    if path.exists() { Ok(()) } else { write_to(&System, path, bytes, Existing::Kept) }
}

/// Makes the names in a folder outlive a power cut.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    // Other systems do not open folders as files; their renames are as durable as they are.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Replaced,
    Kept,
}

/// The calls by which a file reaches the disk, in their order: the one place where tests let each of them fail.
trait Disk {
    fn create(&self, folder: &Path) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".partial");
        // Temporary files are for their owner alone by default; a result is as readable as any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(folder)
    }

    fn write(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn flush(&self, file: &NamedTempFile) -> io::Result<()> {
        file.as_file().sync_all()
    }

    fn persist(&self, file: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
        let persisted = match existing {
            Existing::Replaced => file.persist(path),
            Existing::Kept => file.persist_noclobber(path),
        };
        match persisted {
            Err(error) if existing == Existing::Kept && error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.error),
            Ok(_) => Ok(()),
        }
    }

    fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        flush_folder(folder)
    }
}

/// The disk that there is.
struct System;

impl Disk for System {}

fn write_to(disk: &impl Disk, path: &Path, bytes: &[u8], existing: Existing) -> Result<(), AtomicWriteError> {
    let during = |step| move |source| AtomicWriteError { step, path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = disk.create(folder).map_err(during("create a temporary file beside"))?;
    disk.write(&mut file, bytes).map_err(during("write"))?;
    disk.flush(&file).map_err(during("flush to the disk the new content of"))?;
    disk.persist(file, path, existing).map_err(during("replace"))?;
    disk.flush_folder(folder).map_err(during("flush the folder (the new content is in place) of"))
}

/// Removes what a killed process left of unfinished writes in `folder`.
///
/// # Errors
/// What the system answered.
pub fn remove_partial(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".partial")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_new_content_replaces_the_old_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        for content in ["a long first content", "short", ""] {
            write(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(names(folder.path()), ["metrics.csv"]);
        }
    }

    #[test]
    fn a_reader_never_sees_a_torn_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let contents = [vec![b'a'; 1 << 16], vec![b'b'; 1 << 15]];
        write(&path, &contents[0]).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..50 {
                    write(&path, &contents[round % 2]).unwrap();
                }
            });
            while !writer.is_finished() {
                let seen = fs::read(&path).unwrap();
                assert!(contents.contains(&seen), "{} bytes, which nobody wrote", seen.len());
            }
        });
    }

    #[test]
    fn a_failed_write_leaves_the_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file: the last step fails, after all bytes were written.
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write(&path, b"content").unwrap_err();
        assert!(error.to_string().starts_with("cannot replace "), "{error}");
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(names(folder.path()), ["taken"]);

        let error = write(&folder.path().join("missing/file"), b"content").unwrap_err();
        assert!(error.to_string().starts_with("cannot create a temporary file beside "), "{error}");
    }

    /// A disk of which one call, counted from 0, fails.
    struct Failing {
        call: usize,
        error: io::ErrorKind,
        calls: Cell<usize>,
    }

    impl Failing {
        fn allow(&self) -> io::Result<()> {
            let call = self.calls.replace(self.calls.get() + 1);
            if call == self.call { Err(self.error.into()) } else { Ok(()) }
        }
    }

    impl Disk for Failing {
        fn create(&self, folder: &Path) -> io::Result<NamedTempFile> {
            self.allow()?;
            System.create(folder)
        }

        /// A full disk takes a part of the bytes before it refuses the rest.
        fn write(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
            let allowed = self.allow();
            System.write(file, if allowed.is_ok() { bytes } else { &bytes[..bytes.len() / 2] })?;
            allowed
        }

        fn flush(&self, file: &NamedTempFile) -> io::Result<()> {
            self.allow()?;
            System.flush(file)
        }

        fn persist(&self, file: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
            self.allow()?;
            System.persist(file, path, existing)
        }

        fn flush_folder(&self, folder: &Path) -> io::Result<()> {
            self.allow()?;
            System.flush_folder(folder)
        }
    }

    #[test]
    fn any_call_may_fail_and_the_file_is_the_old_one_or_the_new_one() {
        const STEPS: [&str; 5] =
            ["create a temporary file", "write", "flush to the disk", "replace", "flush the folder"];
        let errors = [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied, io::ErrorKind::Other];
        for error in errors {
            for (call, step) in STEPS.into_iter().enumerate() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("summary.json");
                for old in [None, Some("old content")] {
                    if let Some(old) = old {
                        write(&path, old.as_bytes()).unwrap();
                    }
                    let disk = Failing { call, error, calls: Cell::new(0) };
                    let failure = write_to(&disk, &path, b"new content", Existing::Replaced).unwrap_err();
                    assert_eq!(failure.source.kind(), error);
                    assert!(failure.to_string().starts_with(&format!("cannot {step}")), "{failure}");
                    assert_eq!(disk.calls.get(), call + 1, "nothing is tried again, nothing goes on after {step}");
                    // Only the flush of the folder comes after the replacement, and says so.
                    let in_place = call == 4;
                    assert_eq!(failure.to_string().contains("the new content is in place"), in_place, "{failure}");
                    let expected = if in_place { Some("new content") } else { old };
                    assert_eq!(fs::read_to_string(&path).ok().as_deref(), expected, "{step}, {error:?}");
                    assert_eq!(names(folder.path()).len(), usize::from(expected.is_some()), "{step}: a leftover");
                    let _ = fs::remove_file(&path);
                }
            }
        }
        let calls = Failing { call: usize::MAX, error: io::ErrorKind::Other, calls: Cell::new(0) };
        let folder = tempfile::tempdir().unwrap();
        write_to(&calls, &folder.path().join("file"), b"", Existing::Replaced).unwrap();
        assert_eq!(calls.calls.get(), STEPS.len(), "every call is among the steps");
    }

    #[test]
    fn the_first_of_several_writers_wins_and_the_others_are_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.json");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || write_once(path, &[b'a' + writer; 1000]).unwrap());
            }
        });
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 1000 && content.iter().all(|&byte| byte == content[0]), "one writer's alone");
        // Also where the file appears only after the look for it.
        write_to(&System, &path, b"late", Existing::Kept).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(names(folder.path()), ["sweep.json"]);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".x7Gq2.partial", ".hidden", "summary.json"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_partial(folder.path()).unwrap();
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".hidden", "summary.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_mask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        write(&folder.path().join("atomic"), b"").unwrap();
        fs::write(folder.path().join("plain"), "").unwrap();
        assert_eq!(mode("atomic"), mode("plain"));
    }
}
