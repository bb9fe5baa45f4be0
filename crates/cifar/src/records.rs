//! Files of pictures: a row of records without header, separator or end mark, so the length and the labels are
//! all that can be checked.

use std::io::Read;

use crate::error::Fault;
use crate::format::{Format, Role};

/// Returns how many records `bytes` bytes are.
pub(crate) fn count(format: Format, file: &str, bytes: u64) -> Result<u64, Fault> {
    let record_bytes = format.record_bytes();
    if bytes == 0 || !bytes.is_multiple_of(record_bytes as u64) {
        return Err(Fault::Length { file: file.into(), bytes, record_bytes });
    }
    Ok(bytes / record_bytes as u64)
}

/// Checks that a file has no more records than the release's.
fn check_limit(format: Format, role: Role, file: &str, found: u64) -> Result<(), Fault> {
    let most = format.release_records(role);
    if found > most as u64 {
        let expected = format!("at most {most}, as in the {} release", format.name());
        return Err(Fault::Count { file: file.into(), found, expected });
    }
    Ok(())
}

/// Checks every label of a buffer of whole records.
pub(crate) fn check_labels(format: Format, file: &str, records: &[u8]) -> Result<(), Fault> {
    let labels: &[(&'static str, usize)] = match format {
        Format::Cifar10 => &[("label", format.classes())],
        Format::Cifar100 => &[("coarse label", format.coarse_classes()), ("fine label", format.classes())],
    };
    for (record, bytes) in records.chunks_exact(format.record_bytes()).enumerate() {
        for (position, (&(which, classes), &value)) in labels.iter().zip(bytes).enumerate() {
            if usize::from(value) >= classes {
                let offset = record * format.record_bytes() + position;
                return Err(Fault::Label {
                    file: file.into(),
                    record,
                    offset,
                    which,
                    value,
                    most: (classes - 1) as u8,
                });
            }
        }
    }
    Ok(())
}

/// Checks the numbers of records of one set's files against the release and against each other.
///
/// A file that lost a record is a whole number of records still. So the training files must be of one length,
/// and where one file has the release's number of records, every file must.
pub(crate) fn check_counts(format: Format, training: &[usize], test: usize) -> Result<(), Fault> {
    let counts = format.files().filter_map(|(file, role)| match role {
        Role::Training(index) => Some((file, role, training[index])),
        Role::Test => Some((file, role, test)),
        Role::Names | Role::CoarseNames => None,
    });
    let counts: Vec<_> = counts.collect();
    for &(file, role, count) in &counts {
        check_limit(format, role, file, count as u64)?;
    }
    let full = counts.iter().find(|&&(_, role, count)| count == format.release_records(role));
    for &(file, role, count) in &counts {
        let (right, reason) = match full {
            Some((other, ..)) => {
                (format.release_records(role), format!("as in the {} release, for {other} is so", format.name()))
            }
            None if role == Role::Test => continue,
            None => (training[0], format!("as {} has", counts[0].0)),
        };
        if count != right {
            let expected = format!("{right}, {reason}");
            return Err(Fault::Count { file: file.into(), found: count as u64, expected });
        }
    }
    Ok(())
}

/// Reads a file of pictures, announced to have `bytes` bytes, straight into the memory where it stays.
pub(crate) fn read(format: Format, role: Role, file: &str, bytes: u64, from: impl Read) -> Result<Vec<u8>, Fault> {
    check_limit(format, role, file, count(format, file, bytes)?)?;
    // Within the limit, so this is no more than 154 MB.
    let length = bytes as usize;
    let mut records = Vec::new();
    records.try_reserve_exact(length).map_err(|_| Fault::OutOfMemory { bytes: length })?;
    from.take(bytes).read_to_end(&mut records).map_err(|error| Fault::io(format!("read {file}"), error))?;
    if records.len() < length {
        return Err(Fault::Short { file: file.into(), expected: bytes, found: records.len() as u64 });
    }
    check_labels(format, file, &records)?;
    Ok(records)
}
