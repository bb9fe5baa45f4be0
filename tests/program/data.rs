//! Finding pictures, and the `data` subcommands.

use serde_json::Value;
use std::fs;

use crate::invocation::{Place, archive};

/// The part of the plan that names the pictures.
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
    // Joined, because line breaks depend on the length of paths.
    text.split("\nsource").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_data_set_is_looked_for_in_order() {
    let place = Place::new();
    let small = archive().to_str().unwrap();
    // No data: the built-in pictures, with advice on how to get others.
    let text = pictures(&place, None, &[]);
    assert!(text.contains("built-in pictures") && text.contains("the folder data/ does not exist"), "{text}");
    assert!(text.contains("scripts/fetch_cifar10.sh"), "{text}");
    // A folder without CIFAR data.
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/notes.txt"), "mine").unwrap();
    let text = pictures(&place, None, &[]);
    assert!(text.contains("built-in pictures") && text.contains("the folder data/ has no CIFAR data"), "{text}");
    // A folder with an archive.
    fs::copy(archive(), place.path("data/cifar-10-binary.tar.gz")).unwrap();
    let text = pictures(&place, None, &[]);
    assert!(
        text.contains("pictures in CIFAR-10's format from data/cifar-10-binary.tar.gz (not the official release)"),
        "{text}"
    );
    // The variable is preferred to the folder, and the flag to the variable.
    let text = pictures(&place, Some(small), &[]);
    assert!(text.contains(small) && text.contains("by THAWLINE_DATA"), "{text}");
    let text = pictures(&place, Some(small), &["--data", "built-in"]);
    assert!(text.contains("built-in pictures") && text.contains("by --data"), "{text}");
    // An empty variable is ignored.
    let text = pictures(&place, Some(""), &[]);
    assert!(text.contains("found in the folder data/"), "{text}");
}

#[test]
fn damaged_data_in_the_default_folder_is_an_error() {
    let whole = fs::read(archive()).unwrap();
    for (name, bytes, words) in [
        ("cifar-10-binary.tar.gz", &whole[..whole.len() - 20], "data/cifar-10-binary.tar.gz: ends too early"),
        ("cifar-10-binary.tar.gz.crdownload", &whole, "an unfinished download, and no other CIFAR data"),
        ("cifar10.zip", b"PK", "data: contains \"cifar10.zip\", which is not supported"),
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
}

#[cfg(unix)]
#[test]
fn a_dangling_link_as_data_is_an_error() {
    for name in ["data", "data/cifar-10-binary.tar.gz"] {
        let place = Place::new();
        fs::create_dir_all(place.path(name).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/not/mounted", place.path(name)).unwrap();
        for line in
            [&["run", "--quiet"][..], &["data", "info"], &["run", "--data", "data"], &["sweep", "--arms", "pixels"]]
        {
            let call = place.prompt(line);
            call.assert_refused(&format!("{name}: cannot open: it is a link to /not/mounted, which does not exist"));
        }
    }
}

#[test]
fn synth_writes_the_built_in_pictures_and_verify_reads_them() {
    let place = Place::new();
    let synth = |out: &str| place.call(["data", "synth", out, "--train", "100", "--test", "50", "--seed", "5"]);
    let hash = |text: &str| text.lines().find(|line| line.starts_with("records")).unwrap()[..73].to_owned();
    let (archive, folder) = (synth("some.tar.gz"), synth("folder"));
    assert_eq!((archive.code, folder.code), (Some(0), Some(0)), "{}{}", archive.stderr, folder.stderr);
    for path in ["some.tar.gz", "folder"] {
        let verified = place.call(["data", "verify", path]);
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
        assert_eq!(hash(&verified.stdout), hash(&archive.stdout), "{path}");
        assert!(verified.stdout.contains("complete: 150 records"), "{}", verified.stdout);
        let json: Value = serde_json::from_str(&place.call(["data", "verify", "--json", path]).stdout).unwrap();
        assert_eq!(hash(&archive.stdout), format!("records  {}", json["data"]["sha256"].as_str().unwrap()), "{path}");
        assert_eq!(json["archive_sha256"].is_string(), path == "some.tar.gz", "{json}");
    }
    let other = place.call(["data", "synth", "other", "--train", "100", "--test", "50", "--seed", "6"]);
    assert_ne!(hash(&other.stdout), hash(&archive.stdout));
}

#[test]
fn synth_checks_its_flags_before_drawing() {
    let place = Place::new();
    for (line, words) in [
        ("s --train 100000", "--train 100000: expected a multiple of 5 (the set has five files), at most 50,000"),
        ("s --train 49999", "--train 49999: expected a multiple of 5 (the set has five files), at most 50,000"),
        ("s --train 49995 --test 10001", "--test 10001: expected at most 10,000"),
        ("s --train 50000", "expected --train 50000 --test 10000, or fewer in both"),
        ("s.tar --train 49995", "s.tar: expected a name that ends in .tar.gz or .tgz, or the name of a folder"),
    ] {
        let call = place.prompt(&["data synth", line].join(" ").split(' ').collect::<Vec<_>>());
        call.assert_refused(words);
        assert!(place.names().is_empty(), "{line}");
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
    let json: Value =
        serde_json::from_str(&place.call(["data", "info", "--json", archive().to_str().unwrap()]).stdout).unwrap();
    let last = serde_json::json!({ "label": 9, "name": "umbrella", "training": 20, "test": 10 });
    assert_eq!((json["classes"].as_array().unwrap().len(), &json["classes"][9]), (10, &last));
    assert_eq!([&json["data"]["train_examples"], &json["data"]["test_examples"]], [200, 100]);
    assert!(place.call(["data", "info"]).stdout.contains("built-in pictures"));
}

#[test]
fn samples_are_a_row_of_pictures_for_each_class() {
    let place = Place::new();
    let path = archive().to_str().unwrap();
    let call = place.call(["data", "samples", path, "--classes", "sun,3-4", "--columns", "4", "--out", "grid.png"]);
    assert_eq!(call.code, Some(2), "sun is class 3");
    let call = place.call(["data", "samples", path, "--columns", "101"]);
    call.assert_refused("'101' for '--columns <N>': expected at most 100 pictures per class");
    let call = place.call(["data", "samples", path, "--classes", "tree,1-3", "--columns", "3", "--out", "grid.png"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("rows from the top: tree, house, kite, sun"), "{}", call.stdout);
    let call = place.call(["data", "samples", path, "--classes", "3", "--out", "sun.png"]);
    assert!(
        call.code == Some(0) && call.stdout.ends_with("rows from the top: sun\n"),
        "{}{}",
        call.stdout,
        call.stderr
    );
    assert!(place.path("sun.png").is_file());
    let file = std::io::BufReader::new(fs::File::open(place.path("grid.png")).unwrap());
    let reader = png::Decoder::new(file).read_info().unwrap();
    let (width, height) = reader.info().size();
    assert_eq!(width * 4, height * 3);
}
