//! Writes a data set in the releases' format.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use tar::{EntryType, Header};

use crate::dataset::Dataset;
use crate::error::{Error, Fault};
use crate::format::FileContents;

/// The time stamp of every entry, 2009-06-04 00:00 UTC: fixed, so that the bytes are reproducible.
const TIME: u64 = 1_244_073_600;

impl Dataset {
    /// Writes the `.tar.gz` archive to any sink and flushes it. The bytes depend only on the data and the versions of
    /// this crate and its compressor.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write_archive_to(&self, sink: impl Write) -> io::Result<()> {
        let mut gzip: GzEncoder<_> = GzBuilder::new().operating_system(255).write(sink, Compression::default());
        let folder = self.format.release().folder;
        gzip.write_all(header(&format!("{folder}/"), EntryType::Directory, 0o755, 0)?.as_bytes())?;
        for (name, pieces) in self.files() {
            let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
            gzip.write_all(header(&format!("{folder}/{name}"), EntryType::Regular, 0o644, bytes)?.as_bytes())?;
            pieces.iter().try_for_each(|piece| gzip.write_all(piece))?;
            gzip.write_all(&[0; 512][..(bytes.next_multiple_of(512) - bytes) as usize])?;
        }
        gzip.write_all(&[0; 1024])?;
        gzip.finish()?.flush()
    }

    /// Writes the `.bin` files and the class names into the folder `path`, which must be empty or is created.
    ///
    /// Each file is flushed to the disk. If writing fails, the files written so far remain; since the names are written
    /// last, [`Dataset::open`] refuses such a folder.
    ///
    /// # Errors
    /// If `path` exists and is not an empty folder, or the system cannot write.
    pub fn write_folder(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let exists = fs::symlink_metadata(path).is_ok();
        if exists && !fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
            let fault = "already exists and is not an empty folder; remove it, or choose another path";
            return Err(Fault::Path(fault.into()).of(path.display()));
        }
        let write = || {
            if !exists {
                fs::create_dir(path)?;
            }
            for (name, pieces) in self.files() {
                let mut file = BufWriter::new(File::create_new(path.join(name))?);
                pieces.iter().try_for_each(|piece| file.write_all(piece))?;
                file.into_inner()?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(|error| Fault::io("write", error).of(path.display()))
    }

    /// The release's files in order, each as the pieces of its content.
    fn files(&self) -> impl Iterator<Item = (&'static str, Vec<&[u8]>)> {
        let per_file = self.train.len() / self.format.training_files();
        self.format.release().files.iter().enumerate().map(move |(index, file)| {
            let pieces = match file.contents {
                FileContents::Training => {
                    (index * per_file..(index + 1) * per_file).map(|index| self.train.record(index)).collect()
                }
                FileContents::Test => (0..self.test.len()).map(|index| self.test.record(index)).collect(),
                FileContents::Classes => lines(&self.classes),
                FileContents::CoarseClasses => lines(&self.coarse_classes),
            };
            (file.name, pieces)
        })
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
