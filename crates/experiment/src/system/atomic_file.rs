//! Files that appear whole or not at all.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, TryLockError},
    thread,
    time::Duration,
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

impl AtomicWriteError {
    /// Whether the system refused, rather than this program what it found.
    pub fn is_environment_fault(&self) -> bool {
        self.source.raw_os_error().is_some() || self.source.kind() != io::ErrorKind::InvalidInput
    }
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
    write_with(path, Existing::Replaced, |file| file.write_all(bytes))
}

/// The same with what `fill` writes, and with what is to become of an existing file.
///
/// # Errors
/// The step that failed.
pub fn write_with(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), AtomicWriteError> {
    write_to(&System, path, existing, fill)
}

/// Writes `bytes` as the file `path` unless it exists; of several processes that do so, one succeeds.
///
/// # Errors
/// The step that failed. That the file exists is no error.
pub fn write_once(path: &Path, bytes: &[u8]) -> Result<(), AtomicWriteError> {
    if path.exists() {
        return Ok(());
    }
    match write_with(path, Existing::Kept, |file| file.write_all(bytes)) {
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Makes the folder `path` of the files that `fill` makes in the folder it is given, which does not exist yet. `path` is new
/// or empty.
///
/// # Errors
/// Those of `fill`; the step that failed. Nothing is left behind then.
pub fn write_folder<E: From<AtomicWriteError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let during = |step| move |source| AtomicWriteError { step, path: path.to_owned(), source };
    let (_unfinished, folder) = unfinished(|| builder(0o777).tempdir_in(parent(path)), |folder| folder.path())
        .map_err(during("create a temporary folder beside"))?;
    let files = folder.path().join("files");
    fill(&files)?;
    let renamed = under_lock(|| fs::rename(&files, path));
    renamed.map_err(during("move the new files to"))?;
    Ok(flush_folder(parent(path)).map_err(during(IN_PLACE))?)
}

/// Makes the names in a folder outlive a power cut.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    // Other systems do not open folders as files; their renames are as durable as they are.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What is being done where only the flush of the folder is left.
const IN_PLACE: &str = "flush the folder (the new content is in place) of";

/// What becomes of a file that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replaced,
    /// It stays, and the error is `AlreadyExists`.
    Kept,
}

/// What this process has to remove before a signal ends it, since then no destructor runs.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A path among `UNFINISHED` as long as this lives.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Adds a path.
    pub fn new(path: PathBuf) -> Self {
        lock().insert(path.clone());
        Unfinished(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Makes a file or folder that [`abandon`] removes, until the first value is dropped.
fn unfinished<T>(make: impl FnOnce() -> io::Result<T>, path: impl FnOnce(&T) -> &Path) -> io::Result<(Unfinished, T)> {
    let mut paths = lock();
    let made = make()?;
    let path = path(&made).to_owned();
    paths.insert(path.clone());
    Ok((Unfinished(path), made))
}

/// Does what [`abandon`] must not come between.
fn under_lock<T>(act: impl FnOnce() -> T) -> T {
    let _paths = lock();
    act()
}

/// Removes the temporary files of this process, which is about to end; no thread makes or renames one any more.
pub fn abandon() {
    // Whoever holds the lock makes a file or renames one, which takes long only where a network drive hangs.
    for _ in 0..50 {
        match UNFINISHED.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            Ok(paths) => return remove_for_good(paths),
            Err(TryLockError::Poisoned(poisoned)) => return remove_for_good(poisoned.into_inner()),
        }
    }
}

fn remove_for_good(paths: MutexGuard<'_, BTreeSet<PathBuf>>) {
    for path in &*paths {
        // Another thread may be filling a folder just now.
        let _ = fs::remove_file(path).is_ok() || (0..5).any(|_| fs::remove_dir_all(path).is_ok());
    }
    mem::forget(paths);
}

fn builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    // Temporary files are for their owner alone by default; a result is as readable as any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// The folder that a path is in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The calls by which a file reaches the disk, in their order: the one place where tests let each of them fail.
trait Disk {
    fn create(&self, folder: &Path) -> io::Result<(Unfinished, NamedTempFile)> {
        unfinished(|| builder(0o666).tempfile_in(folder), NamedTempFile::path)
    }

    fn write(&self, file: &mut NamedTempFile, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        fill(file.as_file_mut())
    }

    fn flush(&self, file: &NamedTempFile) -> io::Result<()> {
        file.as_file().sync_all()
    }

    fn persist(&self, file: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
        under_lock(|| match existing {
            Existing::Replaced => file.persist(path).map(drop),
            Existing::Kept => file.persist_noclobber(path).map(drop).or_else(|error| {
                // Some file systems know no way to rename that spares an existing file.
                let exists = fs::symlink_metadata(path).is_ok();
                if exists { Err(error) } else { error.file.persist(path).map(drop) }
            }),
        })
        .map_err(|error| error.error)
    }

    fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        flush_folder(folder)
    }
}

/// The disk that there is.
struct System;

impl Disk for System {}

fn write_to(
    disk: &impl Disk,
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), AtomicWriteError> {
    let during = |step| move |source| AtomicWriteError { step, path: path.to_owned(), source };
    let (_unfinished, mut file) = disk.create(parent(path)).map_err(during("create a temporary file beside"))?;
    disk.write(&mut file, fill).map_err(during("write"))?;
    disk.flush(&file).map_err(during("flush to the disk the new content of"))?;
    disk.persist(file, path, existing).map_err(during("replace"))?;
    disk.flush_folder(parent(path)).map_err(during(IN_PLACE))
}

/// Removes what a killed process left of unfinished writes in `folder` and in those of the folders `below` it that are no
/// links.
///
/// # Errors
/// What the system answered.
pub fn remove_partial(folder: &Path, below: &[&str]) -> io::Result<()> {
    let below = below.iter().map(|name| folder.join(name));
    let below = below.filter(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()));
    for folder in std::iter::once(folder.to_owned()).chain(below) {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if is_partial(&entry.file_name()) && !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Whether a name is that of an unfinished write.
pub fn is_partial(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".partial"))
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
        thread::scope(|scope| {
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
        fn create(&self, folder: &Path) -> io::Result<(Unfinished, NamedTempFile)> {
            self.allow()?;
            System.create(folder)
        }

        /// A full disk takes a part of the bytes before it refuses the rest.
        fn write(&self, file: &mut NamedTempFile, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
            let allowed = self.allow();
            System.write(file, |file| if allowed.is_ok() { fill(file) } else { file.write_all(b"half") })?;
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
                    let failure =
                        write_to(&disk, &path, Existing::Replaced, |file| file.write_all(b"new content")).unwrap_err();
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
        write_to(&calls, &folder.path().join("file"), Existing::Replaced, |_| Ok(())).unwrap();
        assert_eq!(calls.calls.get(), STEPS.len(), "every call is among the steps");
    }

    #[test]
    fn the_first_of_several_writers_wins_and_the_others_are_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.json");
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || write_once(path, &[b'a' + writer; 1000]).unwrap());
            }
        });
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 1000 && content.iter().all(|&byte| byte == content[0]), "one writer's alone");
        assert_eq!(names(folder.path()), ["sweep.json"]);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".x7Gq2.partial", ".hidden", "summary.json"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_partial(folder.path(), &[]).unwrap();
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
