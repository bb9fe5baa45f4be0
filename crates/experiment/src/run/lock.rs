//! A run folder is held by one process at a time.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use crate::system::{
    atomic_file::Unfinished,
    console,
    failure::{Failure, Result},
    output,
};

/// The file that the process holds locked while it works on a run folder.
pub(super) const LOCK: &str = ".lock";

/// A folder held for this process. The system lets go of it when the process ends, however it ends; the file is removed
/// unless the process was killed, and does no harm then.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _unfinished: Unfinished,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the file is closed, so that nobody else holds it.
        let _ = fs::remove_file(&self.path);
    }
}

impl Lock {
    /// Takes the folder; nothing where the file system has no locks, after a warning.
    pub(super) fn take(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(LOCK);
        loop {
            let file = output::open_lock(folder, LOCK)?;
            match file.try_lock() {
                // Another process may have removed the file in between, and a third one made a new one.
                Ok(()) if file.metadata().is_ok_and(|metadata| output::is_same(&path, &metadata, &path)) => {
                    return Ok(Some(Lock { _unfinished: Unfinished::new(path.clone()), path, _file: file }));
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let folder = folder.display();
                    return Err(Failure::usage(format!(
                        "{folder} is in use by another process; wait until that has ended"
                    )));
                }
                Err(TryLockError::Error(error)) => {
                    let (warning, folder) = ("cannot be locked on this file system", folder.display());
                    console::warn(format!("warning: {folder} {warning} ({error}); start no other run in it"));
                    return Ok(None);
                }
            }
        }
    }
}
