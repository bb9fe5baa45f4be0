//! Writes a data set in the format of the releases. The same data give the same bytes, and a file or folder
//! appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use tar::{EntryType, Header};
use tempfile::{NamedTempFile, TempDir};

use crate::dataset::Dataset;
use crate::error::{Error, Fault};
use crate::format::Role;

/// The time stamp of every entry, 2009-06-04 00:00 UTC: a time that has passed, and always the same.
const TIME: u64 = 1_244_073_600;

impl Dataset {
    /// Writes the `.tar.gz` archive. The bytes depend on the data and on the version of this crate alone.
    ///
    /// An existing file is replaced, once the new one is complete and safely on disk.
    ///
    /// # Errors
    /// If the system cannot write; nothing is left behind then.
    pub fn write_archive(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let write = || {
            let file = new_file(path)?;
            self.write_archive_to(BufWriter::new(file.as_file()))?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        };
        write().map_err(|error| Fault::io("write", error).at(path))?;
        sync_parent(path)
    }

    /// Writes the archive to any sink, and flushes it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write_archive_to(&self, sink: impl Write) -> io::Result<()> {
        let mut gzip: GzEncoder<_> = GzBuilder::new().operating_system(255).write(sink, Compression::default());
        let folder = self.format().release().folder;
        gzip.write_all(header(&format!("{folder}/"), EntryType::Directory, 0o755, 0)?.as_bytes())?;
        for file in self.files() {
            let entry = header(&format!("{folder}/{}", file.name), EntryType::Regular, 0o644, file.bytes())?;
            gzip.write_all(entry.as_bytes())?;
            file.write(&mut gzip)?;
            let padding = file.bytes().next_multiple_of(512) - file.bytes();
            gzip.write_all(&[0; 512][..padding as usize])?;
        }
        gzip.write_all(&[0; 1024])?;
        gzip.finish()?.flush()
    }

    /// Writes the folder of `.bin` files; `path` is the folder itself.
    ///
    /// # Errors
    /// If `path` exists and is not an empty folder, or the system cannot write; nothing is left behind then.
    pub fn write_folder(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        if fs::symlink_metadata(path).is_ok() && !fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
            return Err(Fault::TargetExists.at(path));
        }
        let write = || {
            let folder = new_folder(path)?;
            for contents in self.files() {
                let mut file = File::create_new(folder.path().join(contents.name))?;
                contents.write(&mut file)?;
                file.sync_all()?;
            }
            fs::rename(folder.path(), path)?;
            // The old name is free now, and must not be cleaned up should somebody else use it.
            let _ = folder.keep();
            Ok(())
        };
        write().map_err(|error| Fault::io("write", error).at(path))?;
        sync_parent(path)
    }

    /// The release's files in their order.
    fn files(&self) -> impl Iterator<Item = Contents<'_>> {
        let per_file = self.train().len() / self.format().release().training_files.len();
        self.format().files().map(move |(name, role)| {
            let pieces = match role {
                Role::Training(index) => self.train().records(index * per_file..(index + 1) * per_file).collect(),
                Role::Test => self.test().records(0..self.test().len()).collect(),
                Role::Names => lines(&self.classes),
                Role::CoarseNames => lines(self.coarse_classes()),
            };
            Contents { name, pieces }
        })
    }
}

/// One file to be written.
struct Contents<'a> {
    name: &'static str,
    pieces: Vec<&'a [u8]>,
}

impl Contents<'_> {
    fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    fn write(&self, sink: &mut impl Write) -> io::Result<()> {
        self.pieces.iter().try_for_each(|piece| sink.write_all(piece))
    }
}

fn lines(names: &[String]) -> Vec<&[u8]> {
    names.iter().flat_map(|name| [name.as_bytes(), b"\n"]).collect()
}

fn header(name: &str, kind: EntryType, mode: u32, bytes: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes);
    header.set_mtime(TIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}

/// The folder that a new file or folder at `path` comes into.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A temporary file beside the target, so that renaming it is atomic.
fn new_file(path: &Path) -> io::Result<NamedTempFile> {
    temporary(0o666).tempfile_in(parent(path))
}

fn new_folder(path: &Path) -> io::Result<TempDir> {
    temporary(0o777).tempdir_in(parent(path))
}

/// Temporary files are private by default; these will be ordinary ones, for whom the user's umask allows.
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".thawline-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Makes the new name itself survive a power cut.
fn sync_parent(path: &Path) -> Result<(), Error> {
    // Windows has no such operation: there a folder cannot be opened as a file.
    let sync = || if cfg!(unix) { File::open(parent(path))?.sync_all() } else { Ok(()) };
    sync().map_err(|error| Fault::io("synchronise its folder (what was written is whole and in place)", error).at(path))
}
