//! Files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

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
    let during = |step| move |source| AtomicWriteError { step, path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    // Temporary files are for their owner alone by default; a result is as readable as any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(during("create a temporary file beside"))?;
    file.write_all(bytes).map_err(during("write"))?;
    file.as_file().sync_all().map_err(during("flush to the disk the new content of"))?;
    file.persist(path).map_err(|error| error.error).map_err(during("replace"))?;
    flush_folder(folder).map_err(during("flush the folder (the new content is in place) of"))
}

/// Makes the names in a folder outlive a power cut.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    // Other systems do not open folders as files; their renames are as durable as they are.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
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
