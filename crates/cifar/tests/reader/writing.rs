use std::fs;
use std::io::{self, Read, Write};

use proptest::prelude::*;
use tempfile::tempdir;
use thawline_cifar::{Dataset, Format, Images};

use crate::archives::{archive, assert_same_data, dataset, files, names, read, written};

#[test]
fn a_read_set_is_written_like_one_created_in_memory() {
    for format in Format::ALL {
        assert_eq!(written(&read(&archive(&files(format, 3))).unwrap()), written(&dataset(format, 3)));
    }
}

#[test]
fn the_tar_crate_can_list_the_archive() {
    let archive = written(&dataset(Format::Cifar10, 1));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
    let listed: Vec<(String, u64, u32)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.mtime().unwrap()), (0, 1_244_073_600));
            (entry.path().unwrap().display().to_string(), entry.size(), header.mode().unwrap())
        })
        .collect();
    assert_eq!(listed[0], ("cifar-10-batches-bin/".into(), 0, 0o755));
    assert_eq!(listed[1], ("cifar-10-batches-bin/data_batch_1.bin".into(), 3073, 0o644));
    assert_eq!(listed.last().unwrap(), &("cifar-10-batches-bin/batches.meta.txt".into(), 70, 0o644));
    assert_eq!(listed.len(), 8);
}

#[test]
fn the_bytes_depend_only_on_the_data() {
    use sha2::{Digest, Sha256};
    let archive = written(&dataset(Format::Cifar10, 1));
    // gzip's header: no flags, no time, an unknown system.
    assert_eq!(archive[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    assert_eq!(archive[9], 255);
    // The bytes inside gzip, which do not depend on the version of the compressor.
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&archive[..]).read_to_end(&mut unpacked).unwrap();
    let hash: String = Sha256::digest(unpacked).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "3f912e9f113d39fe9862490c32a5074ae371e89c89b239134784eda8fb767a28");
}

#[test]
fn a_folder_is_written_only_if_new_or_empty() {
    let scratch = tempdir().unwrap();
    let folder = scratch.path().join("new");
    for format in Format::ALL {
        let dataset = dataset(format, 2);
        dataset.write_folder(&folder).unwrap();
        assert_same_data(&Dataset::open(&folder).unwrap(), &dataset);
        let error = dataset.write_folder(&folder).unwrap_err();
        assert!(error.to_string().contains("exists and is not an empty folder"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
    }
    let nowhere = scratch.path().join("none/folder");
    let error = dataset(Format::Cifar10, 1).write_folder(&nowhere).unwrap_err();
    assert!(error.to_string().contains(": cannot write: ") && !error.is_environment_fault(), "{error}");
}

#[test]
fn a_writer_that_runs_out_of_space_is_an_error() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0);
            self.0 -= count;
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let dataset = dataset(Format::Cifar10, 1);
    let length = written(&dataset).len();
    for space in (0..length).step_by(7).chain([length - 1]) {
        let error = dataset.write_archive_to(Full(space)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
    dataset.write_archive_to(Full(length)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_written_archive_is_read_back(
        hundred in any::<bool>(),
        (train, test) in (1usize..4, 1usize..9),
        noise in proptest::collection::vec(any::<u8>(), 7919),
        class in "[ -~&&[^ ]]{1,20}",
    ) {
        let format = if hundred { Format::Cifar100 } else { Format::Cifar10 };
        let images = |count: usize, shift: usize| {
            let mut bytes: Vec<u8> =
                noise.iter().copied().cycle().skip(shift).take(count * format.record_bytes()).collect();
            for record in bytes.chunks_exact_mut(format.record_bytes()) {
                if hundred { record[0] %= 20; record[1] %= 100 } else { record[0] %= 10 }
            }
            Images::from_records(format, bytes).unwrap()
        };
        let classes = (0..format.classes()).map(|label| format!("{class}{label}")).collect();
        let coarse = names("coarse", format.coarse_classes());
        let dataset = Dataset::new(format, images(train * 5, 0), images(test, 1), classes, coarse).unwrap();
        let archive = written(&dataset);
        let back = read(&archive).unwrap();
        assert_same_data(&back, &dataset);
        assert_eq!(back.sha256(), dataset.sha256());
        prop_assert_eq!(written(&back), archive);
    }
}
