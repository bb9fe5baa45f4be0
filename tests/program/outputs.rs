//! Output files: nothing is destroyed, written elsewhere, or left half-written.
#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::{FileTypeExt, symlink},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::invocation::{Place, archive, names, signal};

const MODEL: &str = "run/weights-model_1.safetensors";

#[test]
fn commands_replace_an_existing_file_only_with_force() {
    let place = Place::new();
    place.run("");
    fs::copy(archive(), place.path("data.tar.gz")).unwrap();
    let call = place.call(["export", "--format", "torch", "--from", MODEL, "--out", "torch"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    // The command and its input file, which must survive.
    for (line, input) in [
        (format!("features {MODEL} --out"), Some(MODEL)),
        (format!("export --format keras --from {MODEL} --out"), Some(MODEL)),
        (format!("import torch --like {MODEL} --out"), Some("torch")),
        (format!("eval --from {MODEL} --data data.tar.gz --limit 9 --logits"), Some(MODEL)),
        (format!("eval --from {MODEL} --data data.tar.gz --limit 9 --logits"), Some("data.tar.gz")),
        ("data samples data.tar.gz --columns 1 --out".to_owned(), Some("data.tar.gz")),
        ("data synth --train 5 --test 5".to_owned(), None),
    ] {
        let call = |out: &str, force: &str| place.call(format!("{line} {out} {force}").split_whitespace());
        let refused = |out: &str, force: &str, words: &str| {
            let call = call(out, force);
            call.assert_refused(words);
        };
        let is_precious = |name: &str| fs::read(place.path(name)).unwrap() == b"precious";
        fs::write(place.path("file.tar.gz"), "precious").unwrap();
        symlink("file.tar.gz", place.path("link.tar.gz")).unwrap();
        symlink("nowhere", place.path("dangling.tar.gz")).unwrap();
        for out in ["file.tar.gz", "link.tar.gz"] {
            refused(out, "", "already exists; name another file, or replace it with --force");
        }
        refused("dangling.tar.gz", "--force", "is a dangling link");
        refused("missing/x.tar.gz", "--force", "the folder missing does not exist; create it first");
        refused("file.tar.gz/x.tar.gz", "", "Not a directory");
        if let Some(input) = input {
            let before = fs::read(place.path(input)).unwrap();
            symlink(input, place.path("input")).unwrap();
            for out in [input, "input"] {
                refused(out, "--force", "is this command's input");
            }
            assert!(fs::read(place.path(input)).unwrap() == before, "{line}");
        }
        assert!(is_precious("file.tar.gz") && !place.path("nowhere").exists(), "{line}");

        assert_eq!(call("link.tar.gz", "--force").code, Some(0), "{line}");
        assert!(place.path("link.tar.gz").is_symlink() && !is_precious("file.tar.gz"), "{line}");
        // A pipe is written to and stays a pipe.
        assert!(Command::new("mkfifo").arg(place.path("pipe.tar.gz")).status().unwrap().success());
        let (pipe, whole) = (place.path("pipe.tar.gz"), fs::read(place.path("file.tar.gz")).unwrap());
        let read = thread::spawn(move || fs::read(pipe).unwrap());
        let piped = call("pipe.tar.gz", "");
        assert_eq!((piped.code, piped.stdout.as_str()), (Some(0), ""), "{line}: {}", piped.stderr);
        assert!(read.join().unwrap() == whole, "{line}");
        assert!(fs::metadata(place.path("pipe.tar.gz")).unwrap().file_type().is_fifo(), "{line}");

        let made = ["file.tar.gz", "link.tar.gz", "dangling.tar.gz", "pipe.tar.gz", "input"];
        made.iter().filter(|name| place.path(name).is_symlink() || place.path(name).exists()).for_each(|name| {
            fs::remove_file(place.path(name)).unwrap();
        });
        assert_eq!(place.names(), ["data.tar.gz", "run", "torch"], "{line}");
    }
}

#[test]
fn a_folder_of_pictures_is_written_only_if_new_or_empty() {
    let place = Place::new();
    fs::create_dir(place.path("mine")).unwrap();
    fs::write(place.path("mine/thesis.txt"), "all of it").unwrap();
    fs::create_dir(place.path("empty")).unwrap();
    symlink("empty", place.path("link")).unwrap();
    for (out, code) in [("mine", 2), ("link", 2), ("missing/new", 2), ("empty", 0), ("new", 0)] {
        let call = place.call(["data", "synth", out, "--train", "50", "--test", "10", "--force"]);
        assert_eq!(call.code, Some(code), "{out}: {}", call.stderr);
    }
    assert_eq!(fs::read_to_string(place.path("mine/thesis.txt")).unwrap(), "all of it");
    assert_eq!((names(&place.path("empty")).len(), place.names().len()), (7, 4));
}

/// Sends SIGTERM, then lets the program run only for moments, each after a pause longer than the 20 ms after which it
/// looks for signals: so it notices the signal before it gets much further, however fast the disk is.
fn interrupt_in_steps(child: &mut Child) {
    signal("-STOP", child);
    signal("-TERM", child);
    let mut moment = Duration::from_millis(1);
    while child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(25));
        signal("-CONT", child);
        thread::sleep(moment);
        signal("-STOP", child);
        // On a busy machine the program may not run at all within a moment.
        moment = (2 * moment).min(Duration::from_millis(100));
    }
}

#[test]
fn a_signal_leaves_nothing_half_written() {
    for out in ["set.tar.gz", "set"] {
        let interrupted_while_writing = (0..20).any(|_| {
            let place = Place::new();
            let mut command = place.command(["data", "synth", out, "--train", "3000", "--test", "1000"]);
            let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            while place.names().is_empty() && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            interrupt_in_steps(&mut child);
            let end = child.wait_with_output().unwrap();
            let ended = (end.status.code(), String::from_utf8(end.stderr).unwrap());
            let by_signal = ended == (Some(143), "error: interrupted\n".to_owned());
            assert!(by_signal || ended == (Some(0), String::new()), "{out}: {ended:?}");
            if by_signal && place.names().is_empty() {
                return true;
            }
            // The signal came after the last byte was written, so the whole set must be there and nothing else.
            assert_eq!(place.names(), [out]);
            let verified = place.call(["data", "verify", out]);
            assert_eq!(verified.code, Some(0), "{out}: {}", verified.stderr);
            assert!(verified.stdout.contains("4,000 records"), "{out}: {}", verified.stdout);
            false
        });
        assert!(interrupted_while_writing, "{out}: the signal came too late, twenty times");
    }
}

#[test]
fn links_in_a_run_folder_are_refused() {
    for link in ["plots", "pictures", ".lock"] {
        let place = Place::new();
        place.run("");
        fs::create_dir(place.path("elsewhere")).unwrap();
        fs::write(place.path("elsewhere/.precious.partial"), "1").unwrap();
        fs::remove_file(place.path("run/report.html")).unwrap();
        let _ = fs::remove_dir_all(place.path("run").join(link));
        symlink("../elsewhere", place.path("run").join(link)).unwrap();
        let call = place.call(["run", "--resume", "run"]);
        call.assert_refused(&format!("run/{link}: it is a link, which may point outside this folder"));
        assert_eq!(names(&place.path("elsewhere")), [".precious.partial"], "{link}");
    }
}

#[test]
fn a_file_size_limit_is_reported_and_leaves_no_files() {
    let place = Place::new();
    let program = assert_cmd::cargo::cargo_bin!("thawline").display();
    for out in ["set.tar.gz", "set"] {
        let script = format!("ulimit -f 20; exec {program} data synth {out} --train 50 --test 10");
        let end = Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
        let stderr = String::from_utf8(end.stderr).unwrap();
        assert_eq!(end.status.code(), Some(3), "{out}: {stderr}");
        assert!(stderr.contains(out) && stderr.contains("File too large") && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(place.names(), Vec::<String>::new(), "{out}");
    }
}
