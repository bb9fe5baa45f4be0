//! Atomic writes: a file appears complete or not at all.

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

/// A step of reading or writing a file or folder that failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {source}", path.display())]
pub struct FileError {
    /// The failed step, worded to follow "cannot". Only the last step says that the new content is in place.
    pub step: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl FileError {
    /// Whether the operating system refused the write, rather than one of this program's checks.
    pub fn is_environment_fault(&self) -> bool {
        self.source.raw_os_error().is_some() || self.source.kind() != io::ErrorKind::InvalidInput
    }
}

/// Converts an error of the operating system; `step` is worded to follow "cannot".
pub fn during(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError { step, path: path.to_owned(), source }
}

/// Writes `bytes` as the file `path`, replacing it if it exists.
///
/// The bytes are written to a temporary file in the same folder and flushed; then the file is renamed to `path`, and
/// the folder's entry is flushed. A reader sees the old content or the new one at any moment, even after a power
/// failure.
///
/// # Errors
/// The step that failed. If only the last flush failed, the error says that the new content is in place: it may then
/// not survive a power failure.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, Existing::Replaced, |file| file.write_all(bytes))
}

/// Like [`write()`], but `fill` writes the content, and `existing` says whether an existing file is replaced.
pub fn write_with(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), FileError> {
    write_to(path, existing, fill, || Ok(()))
}

/// Writes `bytes` as the file `path` unless it exists, which is not an error. If several processes call this at once,
/// one of them writes the file.
pub fn write_once(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if path.exists() {
        return Ok(());
    }
    match write_with(path, Existing::Kept, |file| file.write_all(bytes)) {
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Creates the folder `path`, complete or not at all. `fill` gets the path of a temporary folder, which it creates and
/// fills; that folder is then renamed to `path`, which must be absent or empty.
///
/// # Errors
/// Those of `fill`, or the step that failed. Unless only the last flush failed, nothing is left on disk then.
pub fn write_folder<E: From<FileError>>(path: &Path, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let (_unfinished, folder) = unfinished(|| builder(0o777).tempdir_in(parent(path)), |folder| folder.path())
        .map_err(during("create a temporary folder next to", path))?;
    let files = folder.path().join("files");
    fill(&files)?;
    let renamed = under_lock(|| fs::rename(&files, path));
    renamed.map_err(during("move the new files to", path))?;
    Ok(flush_folder(parent(path)).map_err(during(IN_PLACE, path))?)
}

/// Flushes a folder's entries to the disk, so that created and renamed files survive a power failure.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    // Windows cannot open a folder as a file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The step after the rename.
const IN_PLACE: &str = "flush the folder (the new content is in place) of";

/// What to do with a file that already exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Replaced,
    /// Keep it and fail with `AlreadyExists`.
    Kept,
}

/// Temporary files and folders to remove before a signal ends the process: no destructors run then.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Keeps a path in `UNFINISHED` until dropped.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
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

/// Creates a file or folder that [`remove_unfinished`] removes unless the returned [`Unfinished`] has been dropped.
fn unfinished<T>(make: impl FnOnce() -> io::Result<T>, path: impl FnOnce(&T) -> &Path) -> io::Result<(Unfinished, T)> {
    let mut paths = lock();
    let made = make()?;
    let path = path(&made).to_owned();
    paths.insert(path.clone());
    Ok((Unfinished(path), made))
}

/// Runs `act` while [`remove_unfinished`] waits.
fn under_lock<T>(act: impl FnOnce() -> T) -> T {
    let _paths = lock();
    act()
}

/// Removes this process's temporary files just before it exits, and stops other threads from creating or renaming more.
pub fn remove_unfinished() {
    // The lock is held only to create or rename a file, so it is soon free unless a network drive hangs.
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
        // Retried: another thread may be adding files to the folder.
        let _ = fs::remove_file(path).is_ok() || (0..5).any(|_| fs::remove_dir_all(path).is_ok());
    }
    mem::forget(paths);
}

fn builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    // `tempfile` makes files readable only by their owner; results get the usual permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// The folder that contains a path.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The steps of an atomic write. `before` runs before each of them; tests let it fail.
fn write_to(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
    mut before: impl FnMut() -> io::Result<()>,
) -> Result<(), FileError> {
    let folder = parent(path);
    let made = before().and_then(|()| unfinished(|| builder(0o666).tempfile_in(folder), NamedTempFile::path));
    let (_unfinished, mut file) = made.map_err(during("create a temporary file next to", path))?;
    before().and_then(|()| fill(file.as_file_mut())).map_err(during("write", path))?;
    before().and_then(|()| file.as_file().sync_all()).map_err(during("flush the new content of", path))?;
    before().and_then(|()| persist(file, path, existing)).map_err(during("replace", path))?;
    before().and_then(|()| flush_folder(folder)).map_err(during(IN_PLACE, path))
}

fn persist(file: NamedTempFile, path: &Path, existing: Existing) -> io::Result<()> {
    under_lock(|| match existing {
        Existing::Replaced => file.persist(path).map(drop),
        Existing::Kept => file.persist_noclobber(path).map(drop).or_else(|error| {
            // Some file systems cannot rename without replacing.
            let exists = fs::symlink_metadata(path).is_ok();
            if exists { Err(error) } else { error.file.persist(path).map(drop) }
        }),
    })
    .map_err(|error| error.error)
}

/// Removes temporary files that a killed process left in `folder` and in its subfolders `below`, except linked ones.
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

/// Whether `name` is that of a temporary file of an atomic write.
pub fn is_partial(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".partial"))
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_reader_never_sees_a_torn_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let contents = [vec![b'a'; 1 << 16], vec![b'b'; 1 << 15]];
        write(&path, &contents[0]).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for content in contents.iter().cycle().take_while(|_| !done.load(Ordering::SeqCst)) {
                    write(&path, content).unwrap();
                }
            });
            // Until each content was read 20 times, so that some reads overlap writes.
            let (mut seen, mut torn) = ([0; 2], None);
            while torn.is_none() && seen.iter().any(|&times| times < 20) && !writer.is_finished() {
                let read = fs::read(&path).unwrap();
                match contents.iter().position(|content| *content == read) {
                    Some(index) => seen[index] += 1,
                    None => torn = Some(read.len()),
                }
            }
            // Before the assertions: if one failed, the writer would never end.
            done.store(true, Ordering::SeqCst);
            assert_eq!(torn, None, "a read returned this many bytes, which no write wrote");
            assert!(seen.iter().all(|&times| times >= 20), "the writer failed: {seen:?}");
        });
    }

    #[test]
    fn whichever_call_fails_the_file_has_the_old_or_the_new_content() {
        const STEPS: [&str; 5] =
            ["create a temporary file", "write", "flush the new content", "replace", "flush the folder"];
        for (failing, step) in STEPS.into_iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("summary.json");
            for old in [None, Some("old content")] {
                if let Some(old) = old {
                    write(&path, old.as_bytes()).unwrap();
                }
                let calls = Cell::new(0);
                let full = || io::Error::from(io::ErrorKind::StorageFull);
                let before = || {
                    // A full disk accepts part of the bytes before it fails, so `fill` fails by itself.
                    let call = calls.replace(calls.get() + 1);
                    if call == failing && step != "write" { Err(full()) } else { Ok(()) }
                };
                let fill = |file: &mut File| {
                    file.write_all(b"new content")?;
                    if step == "write" { Err(full()) } else { Ok(()) }
                };
                let failure = write_to(&path, Existing::Replaced, fill, before).unwrap_err();
                assert_eq!(failure.source.kind(), io::ErrorKind::StorageFull);
                assert!(failure.to_string().starts_with(&format!("cannot {step}")), "{failure}");
                assert_eq!(calls.get(), failing + 1, "calls after the failed {step}");
                // Only the folder's flush comes after the rename.
                let in_place = step == STEPS[4];
                assert_eq!(failure.to_string().contains("the new content is in place"), in_place, "{failure}");
                let expected = if in_place { Some("new content") } else { old };
                assert_eq!(fs::read_to_string(&path).ok().as_deref(), expected, "{step}");
                assert_eq!(names(folder.path()).len(), usize::from(expected.is_some()), "{step}: temporary file left");
                let _ = fs::remove_file(&path);
            }
        }
        let calls = Cell::new(0);
        let before = || {
            calls.set(calls.get() + 1);
            Ok(())
        };
        let folder = tempfile::tempdir().unwrap();
        write_to(&folder.path().join("file"), Existing::Replaced, |_| Ok(()), before).unwrap();
        assert_eq!(calls.get(), STEPS.len(), "STEPS lists every call");
    }

    #[test]
    fn one_of_several_concurrent_writers_writes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.json");
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || write_once(path, &[b'a' + writer; 1000]).unwrap());
            }
        });
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 1000 && content.iter().all(|&byte| byte == content[0]), "mixed content");
        assert_eq!(names(folder.path()), ["sweep.json"]);
    }

    #[test]
    fn temporary_files_of_a_killed_process_are_removed() {
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
    fn a_file_has_the_permissions_that_the_umask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        write(&folder.path().join("atomic"), b"").unwrap();
        fs::write(folder.path().join("plain"), "").unwrap();
        assert_eq!(mode("atomic"), mode("plain"));
    }
}
