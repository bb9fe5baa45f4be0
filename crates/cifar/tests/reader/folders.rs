use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};
use thawline_cifar::{Dataset, Fault, Format, Source};

use crate::archives::{Files, archive, assert_same_data, dataset, entries, files, gzip, tar};

/// Writes a set's files below `folder`, in the release's own folder.
fn unpack(files: &Files, folder: &Path) {
    for (name, contents) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}

fn unpacked(format: Format, count: usize) -> TempDir {
    let folder = tempdir().unwrap();
    unpack(&files(format, count), folder.path());
    folder
}

fn message(path: &Path) -> String {
    let error = Dataset::open(path).expect_err("this path must be refused");
    assert!(!error.is_environment_fault(), "{error}");
    error.to_string()
}

#[test]
fn a_folder_and_its_parent_can_be_opened() {
    for (format, name) in [(Format::Cifar10, "cifar-10-batches-bin"), (Format::Cifar100, "cifar-100-binary")] {
        let parent = unpacked(format, 2);
        let folder = parent.path().join(name);
        // Other files in a folder are ignored.
        fs::write(parent.path().join("notes.txt"), "mine").unwrap();
        fs::write(folder.join(".DS_Store"), "mine").unwrap();
        for path in [&folder, parent.path()] {
            let read = Dataset::open(path).unwrap();
            assert_same_data(&read, &dataset(format, 2));
            assert_eq!(*read.source(), Source::Folder { path: folder.display().to_string() });
            assert!(!read.source().is_official());
        }
    }
}

#[test]
fn the_archive_is_preferred_to_the_folder_and_cifar_10_to_cifar_100() {
    let folder = unpacked(Format::Cifar100, 1);
    unpack(&files(Format::Cifar10, 1), folder.path());
    assert_eq!(Dataset::open(folder.path()).unwrap().format(), Format::Cifar10);
    let path = folder.path().join("cifar-10-binary.tar.gz");
    fs::write(&path, archive(&files(Format::Cifar10, 2))).unwrap();
    for opened in [folder.path(), &path] {
        let read = Dataset::open(opened).unwrap();
        assert_eq!(read.train().len(), 10);
        let Source::Archive { name, bytes, official, .. } = read.source() else { panic!("{:?}", read.source()) };
        assert_eq!((Path::new(name), *bytes), (&*path, fs::metadata(&path).unwrap().len()));
        assert!(!official);
        assert_eq!(read.source().to_string(), format!("{} (not the official release)", path.display()));
    }
}

#[test]
fn data_under_similar_names_are_found() {
    for format in Format::ALL {
        let files = files(format, 1);
        let tar = tar(entries(&files));
        let gz = gzip(&tar);
        for (name, bytes) in [("cifar-10-binary (1).tar.gz", &gz), ("CIFAR.tgz", &gz), ("my-cifar/cifar-set.tar", &tar)]
        {
            let folder = tempdir().unwrap();
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            let folder = path.parent().unwrap();
            assert_same_data(&Dataset::open(folder).unwrap(), &dataset(format, 1));
            fs::copy(&path, folder.join("cifar-copy.tgz")).unwrap();
            assert!(message(folder).contains("contains more than one CIFAR set: "), "{}", message(folder));
        }
        let inner = files[0].0.split('/').next().unwrap();
        for outer in ["cifar10", inner] {
            let folder = tempdir().unwrap();
            unpack(&files, &folder.path().join(outer));
            assert_same_data(&Dataset::open(folder.path()).unwrap(), &dataset(format, 1));
        }
    }
}

#[test]
fn a_path_without_data_is_refused() {
    let folder = tempdir().unwrap();
    for (name, words) in [("none", "none: cannot open: No such file"), ("a\nb\x1b[2J", r"a\nb\u{1b}[2J: cannot open")] {
        let line = message(&folder.path().join(name));
        assert!(line.contains(words), "{line}");
    }
    for (names, words) in [
        (
            &[][..],
            "contains no CIFAR data: it is empty; looked for cifar-10-binary.tar.gz, cifar-10-batches-bin, test_batch.bin, \
             cifar-100-binary.tar.gz, cifar-100-binary, test.bin; check the path, or download \
             https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
        (&["notes.txt"], "contains no CIFAR data: found \"notes.txt\"; looked for"),
        (&["1.png", "2.png", "a"], "contains no CIFAR data: found \"1.png\" and 2 more; looked for"),
        (&["cifar-10-binary.tar.gz.part"], "contains \"cifar-10-binary.tar.gz.part\", an unfinished download, and no"),
        (&["cifar-10.zip"], "contains \"cifar-10.zip\", which is not supported, and no other CIFAR data; expected"),
        (&["DATA_BATCH_1.BIN"], "contains \"DATA_BATCH_1.BIN\", which is not supported"),
        (&["cifar-10/DATA_BATCH_1.BIN"], "contains \"cifar-10\", a folder without the release's files"),
        (&["cifar-10-batches-py"], "looks like the Python version of CIFAR-10"),
        (&["cifar-10-python.tar.gz"], "looks like the Python version of CIFAR-10"),
        (&["data_batch_1"], "looks like the Python version of CIFAR-10"),
    ] {
        let folder = tempdir().unwrap();
        unpack(&names.iter().map(|name| (name.to_string(), Vec::new())).collect(), folder.path());
        let line = message(folder.path());
        assert!(line.contains(words) && !line.contains("again"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_named() {
    let link = |folder: &TempDir, name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/not/mounted", path).unwrap();
    };
    for name in ["x", "cifar-10-binary.tar.gz", "cifar-10-batches-bin", "cifar-100-binary/test.bin"] {
        let folder = tempdir().unwrap();
        link(&folder, name);
        let path = if name == "x" { folder.path().join("x") } else { folder.path().into() };
        let line = message(&path);
        assert!(line.contains("it is a link to /not/mounted, which does not exist"), "{line}");
    }
}

#[test]
fn an_incomplete_folder_is_refused() {
    let parent = unpacked(Format::Cifar10, 1);
    let folder = parent.path().join("cifar-10-batches-bin");
    fs::remove_file(folder.join("data_batch_2.bin")).unwrap();
    fs::remove_file(folder.join("batches.meta.txt")).unwrap();
    let words = "cifar-10-batches-bin: data_batch_2.bin, batches.meta.txt missing; expected a complete CIFAR-10 set";
    assert!(message(parent.path()).contains(words), "{}", message(parent.path()));
    fs::create_dir(folder.join("data_batch_2.bin")).unwrap();
    assert!(message(&folder).contains("contains something other than a plain file, \"data_batch_2.bin\""));
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_not_opened() {
    assert!(matches!(Dataset::open("/dev/zero").unwrap_err().fault(), Fault::Path(_)));
    let parent = unpacked(Format::Cifar10, 1);
    let file = parent.path().join("cifar-10-batches-bin/data_batch_3.bin");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    assert!(message(parent.path()).contains("something other than a plain file"));
    let folder = tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("cifar-10-binary.tar.gz")).unwrap();
    assert!(message(folder.path()).contains("cifar-10-binary.tar.gz: is neither a file nor a folder"));
    // Users whose data are elsewhere link to a plain file.
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("data_batch_1.bin", &file).unwrap();
    assert!(Dataset::open(parent.path()).is_ok());
}
