//! Checks of picture files. A file is a sequence of records without header or separators; a record is one label byte
//! (in CIFAR-100 two, coarse and fine) and 3,072 pixel bytes. So only the length and the labels can be checked.

use crate::error::Fault;
use crate::format::{FileContents, Format, ReleaseFile};

/// The number of records in `bytes` bytes.
pub(crate) fn count(format: Format, file: &str, bytes: u64) -> Result<u64, Fault> {
    let record_bytes = format.record_bytes() as u64;
    match (bytes / record_bytes, bytes % record_bytes) {
        (0, 0) => Err(Fault::Records(format!("{file} has 0 bytes; expected at least one record of {record_bytes}"))),
        (whole, 0) => Ok(whole),
        (whole, rest) => Err(Fault::Records(format!(
            "{file} has {bytes} bytes, which is {whole} records of {record_bytes} and {rest} extra bytes; \
             expected whole records"
        ))),
    }
}

/// Checks the labels of all records.
pub(crate) fn check_labels(format: Format, file: &str, records: &[u8]) -> Result<(), Fault> {
    let labels: &[(&str, usize)] = match format {
        Format::Cifar10 => &[("label", format.classes())],
        Format::Cifar100 => &[("coarse label", format.coarse_classes()), ("fine label", format.classes())],
    };
    for (record, bytes) in records.chunks_exact(format.record_bytes()).enumerate() {
        for (position, (&(which, classes), &value)) in labels.iter().zip(bytes).enumerate() {
            if usize::from(value) >= classes {
                let (offset, most) = (record * format.record_bytes() + position, classes - 1);
                return Err(Fault::Records(format!(
                    "{file}, record {record} (byte {offset}): {which} {value}, expected 0 to {most}"
                )));
            }
        }
    }
    Ok(())
}

/// Checks that a file has no more records than the release's.
pub(crate) fn check_limit(format: Format, file: &ReleaseFile, found: u64) -> Result<(), Fault> {
    let ReleaseFile { name, count, .. } = file;
    if found > *count as u64 {
        let release = format.name();
        return Err(Fault::Records(format!(
            "{name} has {found} records; expected at most {count}, as in the {release} release"
        )));
    }
    Ok(())
}

/// Checks the numbers of records in a set's files, training files first, against the release and each other.
///
/// All training files must have the same number, and if one file has the release's number, all must. This detects a
/// file of a full set that lost whole records, and one of the five training files of a smaller CIFAR-10 set.
pub(crate) fn check_counts(format: Format, counts: &[usize]) -> Result<(), Fault> {
    let files: Vec<_> = format.picture_files().zip(counts.iter().copied()).collect();
    for &(file, found) in &files {
        check_limit(format, file, found as u64)?;
    }
    let full = files.iter().find(|&&(file, found)| found == file.count);
    for &(file, found) in &files {
        let (expected, reason) = match full {
            Some((other, _)) => {
                (file.count, format!("as in the {} release, since {} is complete", format.name(), other.name))
            }
            None if file.contents == FileContents::Test => continue,
            None => (counts[0], format!("as {} has", files[0].0.name)),
        };
        if found != expected {
            let name = file.name;
            return Err(Fault::Records(format!("{name} has {found} records; expected {expected}, {reason}")));
        }
    }
    Ok(())
}
