//! A lock, so that one process at a time uses a run folder.

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

pub(super) const LOCK: &str = ".lock";

/// A lock on a folder. The system releases it when the process ends, even if the process is killed. A killed process
/// leaves the file behind, which is harmless.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _unfinished: Unfinished,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the file is closed, while nobody else can hold it.
        let _ = fs::remove_file(&self.path);
    }
}

impl Lock {
    /// Locks a folder. On a file system without locks, prints a warning and returns none.
    pub(super) fn take(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(LOCK);
        loop {
            let file = output::open_lock(folder, LOCK)?;
            match file.try_lock() {
                // If another process has replaced the file since it was opened, try again.
                Ok(()) if file.metadata().is_ok_and(|metadata| output::is_same(&path, &metadata, &path)) => {
                    return Ok(Some(Lock { _unfinished: Unfinished::new(path.clone()), path, _file: file }));
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let folder = folder.display();
                    return Err(Failure::usage(format!(
                        "{folder} is in use by another process; wait until it has ended"
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
