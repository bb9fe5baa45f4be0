//! Where pictures come from, and the subcommands that look at them.

use std::fs;

use crate::invocation::{Place, archive};

/// The lines of the plan that tell which pictures are used.
fn pictures(place: &Place, variable: Option<&str>, flags: &[&str]) -> String {
    let small = ["--limit", "8", "--epochs", "1", "--filters", "4", "--dense", "4", "--out"];
    let out = format!("run-{}", place.names().len());
    let mut command = place.command(small);
    command.arg(out).args(flags);
    if let Some(value) = variable {
        command.env("THAWLINE_DATA", value);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // As one line: where the program breaks it depends on the length of paths.
    text.split("\nsource").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn pictures_are_looked_for_in_order() {
    let place = Place::new();
    let small = archive().to_str().unwrap();
    // Nothing anywhere: the built-in ones, with a word on how to get others.
    let text = pictures(&place, None, &[]);
    assert!(text.contains("built-in pictures") && text.contains("there is no folder data"), "{text}");
    assert!(text.contains("scripts/fetch_cifar10.sh"), "{text}");
    // A folder that has something else.
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/notes.txt"), "mine").unwrap();
    let text = pictures(&place, None, &[]);
    assert!(text.contains("built-in pictures") && text.contains("the folder data has no CIFAR data"), "{text}");
    // A folder that has an archive.
    fs::copy(archive(), place.path("data/cifar-10-binary.tar.gz")).unwrap();
    let text = pictures(&place, None, &[]);
    assert!(text.contains("CIFAR-10 from data/cifar-10-binary.tar.gz (not the official release)"), "{text}");
    // The variable goes before the folder, the flag before the variable.
    let text = pictures(&place, Some(small), &[]);
    assert!(text.contains(small) && text.contains("by THAWLINE_DATA"), "{text}");
    let text = pictures(&place, Some(small), &["--data", "built-in"]);
    assert!(text.contains("built-in pictures") && text.contains("by --data"), "{text}");
    // An empty variable is none.
    let text = pictures(&place, Some(""), &[]);
    assert!(text.contains("found in the folder data"), "{text}");
}

#[test]
fn what_is_wrong_in_the_folder_data_is_no_reason_to_take_something_else() {
    let whole = fs::read(archive()).unwrap();
    for (name, bytes, words) in [
        ("cifar-10-binary.tar.gz", &whole[..whole.len() - 20], "data/cifar-10-binary.tar.gz: ends too early"),
        ("cifar-10-binary.tar.gz.crdownload", &whole, "an unfinished download, and no other CIFAR data"),
        ("cifar10.zip", b"PK", "data: contains \"cifar10.zip\", which is not read"),
    ] {
        let place = Place::new();
        fs::create_dir(place.path("data")).unwrap();
        fs::write(place.path("data").join(name), bytes).unwrap();
        let call = place.prompt(&["run", "--quiet"]);
        assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{name}");
        assert!(
            call.stderr.contains(words) && call.stderr.contains("; or name other pictures: --data PATH"),
            "{}",
            call.stderr
        );
        assert_eq!(place.names(), ["data"]);
    }
    // What is nearly right is read.
    for name in ["cifar-10-binary (1).tar.gz", "CIFAR10.tgz"] {
        let place = Place::new();
        fs::create_dir(place.path("data")).unwrap();
        fs::write(place.path("data").join(name), &whole).unwrap();
        let call = place.call(["data", "info"]);
        assert!(call.stdout.starts_with(&format!("CIFAR-10 from data/{name} (not")), "{}{}", call.stdout, call.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_disk_that_is_not_mounted_is_no_reason_to_take_something_else() {
    for name in ["data", "data/cifar-10-binary.tar.gz"] {
        let place = Place::new();
        fs::create_dir_all(place.path(name).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/not/mounted", place.path(name)).unwrap();
        for line in
            [&["run", "--quiet"][..], &["data", "info"], &["run", "--data", "data"], &["sweep", "--arms", "pixels"]]
        {
            let call = place.prompt(line);
            assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{line:?}");
            let words = format!("{name}: cannot open: it is a link to /not/mounted, which does not exist");
            assert!(call.stderr.contains(&words), "{line:?}: {}", call.stderr);
        }
    }
}

#[test]
fn built_in_pictures_survive_the_way_through_a_file() {
    let place = Place::new();
    let synth = |out: &str| place.call(["data", "synth", out, "--train", "100", "--test", "50", "--seed", "5"]);
    let hash = |text: &str| text.lines().find(|line| line.starts_with("records")).unwrap()[..73].to_owned();
    let (archive, folder) = (synth("some.tar.gz"), synth("folder"));
    assert_eq!((archive.code, folder.code), (Some(0), Some(0)), "{}{}", archive.stderr, folder.stderr);
    for path in ["some.tar.gz", "folder"] {
        let verified = place.call(["data", "verify", path]);
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
        assert_eq!(hash(&verified.stdout), hash(&archive.stdout), "{path}");
        assert!(verified.stdout.contains("whole: 150 records"), "{}", verified.stdout);
    }
    let other = place.call(["data", "synth", "other", "--train", "100", "--test", "50", "--seed", "6"]);
    assert_ne!(hash(&other.stdout), hash(&archive.stdout));
}

#[test]
fn synth_looks_at_its_flags_before_it_draws() {
    let place = Place::new();
    for (line, words) in [
        ("s --train 100000", "--train 100000: expected a multiple of 5 up to 50000"),
        ("s --train 49999", "--train 49999: expected a multiple of 5 up to 50000"),
        ("s --train 49995 --test 10001", "--test 10001: expected at most 10000"),
        ("s --train 50000", "expected --train 50000 --test 10000, or fewer in both"),
        ("s.tar --train 49995", "s.tar: expected a name that ends in .tar.gz or .tgz, or that of a folder"),
    ] {
        let call = place.prompt(&["data synth", line].join(" ").split(' ').collect::<Vec<_>>());
        assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(call.stderr.contains(words) && place.names().is_empty(), "{line}: {}", call.stderr);
    }
    let call = place.call(["data", "synth", "s.tgz", "--train", "50", "--test", "10"]);
    assert_eq!((call.code, place.path("s.tgz").is_file()), (Some(0), true), "{}", call.stderr);
}

#[test]
fn info_counts_the_pictures_of_each_class() {
    let place = Place::new();
    let call = place.call(["data", "info", archive().to_str().unwrap()]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    for words in [["0", "fish", "20", "10"], ["9", "umbrella", "20", "10"]] {
        assert!(call.stdout.lines().any(|line| line.split_whitespace().eq(words)), "{}", call.stdout);
    }
    assert!(place.call(["data", "info"]).stdout.contains("built-in pictures"));
}

#[test]
fn verify_refuses_a_single_flipped_bit() {
    let place = Place::new();
    let mut bytes = fs::read(archive()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(place.path("flipped.tar.gz"), bytes).unwrap();
    let call = place.call(["data", "verify", "flipped.tar.gz"]);
    assert_eq!(call.code, Some(2), "{}", call.stdout);
    assert!(call.stderr.starts_with("error: flipped.tar.gz: "), "{}", call.stderr);
}

#[test]
fn samples_are_a_row_of_pictures_for_each_class() {
    let place = Place::new();
    let path = archive().to_str().unwrap();
    let call = place.call(["data", "samples", path, "--classes", "sun,3-4", "--columns", "4", "--out", "grid.png"]);
    assert_eq!(call.code, Some(2), "sun is class 3");
    let call = place.call(["data", "samples", path, "--classes", "tree,1-3", "--columns", "3", "--out", "grid.png"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("rows from the top: tree, house, kite, sun"), "{}", call.stdout);
    let file = std::io::BufReader::new(fs::File::open(place.path("grid.png")).unwrap());
    let reader = png::Decoder::new(file).read_info().unwrap();
    let (width, height) = reader.info().size();
    assert_eq!(width * 4, height * 3);
}
