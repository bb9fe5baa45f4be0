//! Makes system calls of the program fail, one at a time, with strace's fault injection.
//!
//! If strace is not installed or may not trace, the tests that need it are skipped and say so. With
//! THAWLINE_TEST_THOROUGH set, every call fails instead of a sample.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use safetensors::SafeTensors;

use crate::invocation::{Call, Place, small_run};

const FLAGS: &str = "--epochs 2 --limit 60 --batch-size 30 --out run --threads 1 --quiet";

/// The system calls with which a run creates, writes and reads files.
const CALLS: [&str; 9] = ["openat", "read", "write", "fsync", "rename", "renameat", "unlink", "mkdir", "getdents64"];

/// Runs the program under strace, which writes to `log`.
fn traced(place: &Place, options: &[&str], line: &[String]) -> Call {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "log"]).args(options);
    command.arg(assert_cmd::cargo::cargo_bin!("thawline")).args(line).current_dir(place.path(""));
    command.env_remove("THAWLINE_DATA").env_remove("THAWLINE_SIMD").output().unwrap().into()
}

fn strace_works() -> bool {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// For each system call: how many a run makes before it creates its folder, and in all.
fn count_calls() -> Vec<(&'static str, usize, usize)> {
    let place = Place::new();
    let call = traced(&place, &[&format!("-etrace={}", CALLS.join(","))], &small_run(FLAGS));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let log = fs::read_to_string(place.path("log")).unwrap();
    let folder = log.lines().position(|line| line.contains("mkdir(\"run\"")).expect("the run creates its folder");
    let count = |name: &str, lines: usize| {
        let starts = format!(" {name}(");
        log.lines().take(lines).filter(|line| line.contains(&starts) && !line.contains("resumed")).count()
    };
    CALLS.map(|name| (name, count(name, folder), count(name, usize::MAX))).to_vec()
}

/// Asserts that all files are complete and no temporary files are left.
fn assert_whole(folder: &Path, what: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(!name.ends_with(".partial"), "{what}: {name} was not removed");
        if path.is_dir() {
            assert_whole(&path, what);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let text = || std::str::from_utf8(&bytes).unwrap();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => assert!(SafeTensors::deserialize(&bytes).is_ok(), "{what}: {name} is torn"),
            Some("json") => assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "{what}: {name}"),
            Some("toml") => assert!(text().parse::<toml::Table>().is_ok(), "{what}: {name}"),
            Some("png") => assert!(bytes.ends_with(b"IEND\xaeB`\x82"), "{what}: {name} is torn"),
            Some("svg") => assert!(text().trim_end().ends_with("</svg>"), "{what}: {name} is torn"),
            Some("html") => assert!(text().trim_end().ends_with("</html>"), "{what}: {name} is torn"),
            Some("csv" | "jsonl") => assert!(text().ends_with('\n'), "{what}: {name} is torn"),
            _ => {}
        }
    }
}

#[test]
fn any_system_call_may_fail_and_the_run_resumes_to_the_same_result() {
    if !strace_works() {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let whole = Place::new();
    let weights = whole.run(&FLAGS.replace("--out run ", "")).weights().map(<[u8]>::to_vec);
    let step = if std::env::var_os("THAWLINE_TEST_THOROUGH").is_some() { 1 } else { 11 };
    let (mut tried, mut failed, mut resumed) = (0, 0, 0);
    let errors = ["ENOSPC", "EIO", "EACCES"];
    for (name, before, all) in count_calls() {
        // The calls before that are the loader's and the data's.
        for (turn, number) in (before.max(1)..=all).step_by(step).enumerate() {
            let error = errors[(turn + number) % errors.len()];
            let what = format!("{name} number {number} fails with {error}");
            let place = Place::new();
            let inject = format!("-einject={name}:error={error}:when={number}");
            let call = traced(&place, &[&format!("-etrace={name}"), &inject], &small_run(FLAGS));
            tried += 1;
            // Some calls need not succeed, such as reading the free memory.
            assert!(matches!(call.code, Some(0 | 2 | 3)), "{what}: {:?} {}", call.code, call.stderr);
            if call.code == Some(2) {
                assert!(error == "EACCES" || call.stderr.contains("Permission denied"), "{what}: {}", call.stderr);
            }
            assert_whole(&place.path("run"), &what);
            if call.code == Some(0) {
                continue;
            }
            failed += 1;
            // strace counts per thread, so writing the message may be the call that fails.
            let said = call.stderr.starts_with("error: ") && call.stderr.lines().count() == 1;
            assert!(said || (name == "write" && call.stderr.is_empty()), "{what}: {}", call.stderr);
            let line = if place.path("run/config.toml").exists() {
                resumed += 1;
                ["run", "--resume", "run"].map(str::to_owned).to_vec()
            } else {
                // The run had not started.
                small_run(FLAGS)
            };
            let again = place.call(line);
            assert_eq!(again.code, Some(0), "{what}: {}", again.stderr);
            for (name, expected) in ["model_1", "model_2"].iter().zip(&weights) {
                let found = fs::read(place.path(&format!("run/weights-{name}.safetensors"))).unwrap();
                assert!(found == *expected, "{what}: the weights of {name} differ after resuming");
            }
            assert_whole(&place.path("run"), &what);
        }
    }
    println!("{tried} calls failed, {failed} of them ended the run, {resumed} of these were resumed");
    assert!(
        failed > 5 && resumed > 3,
        "{failed} of {tried} ended a run, {resumed} were resumed: this test tests too little"
    );
}

#[test]
fn a_folder_that_cannot_be_flushed_says_that_the_new_file_is_in_place() {
    if !strace_works() {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let whole = Place::new().run(&FLAGS.replace("--out run ", ""));
    let place = Place::new();
    assert_eq!(traced(&place, &["-y", "-etrace=fsync"], &small_run(FLAGS)).code, Some(0));
    // One thread does all the work, so its calls count from 1.
    let log = fs::read_to_string(place.path("log")).unwrap();
    let folder: Vec<usize> =
        (1..).zip(log.lines()).filter(|(_, line)| line.contains("/run>")).map(|(n, _)| n).collect();
    assert!(folder.len() > 4, "{log}");
    for number in [folder[folder.len() / 2], folder[folder.len() - 1]] {
        let place = Place::new();
        let inject = format!("-einject=fsync:error=EIO:when={number}");
        let call = traced(&place, &["-etrace=fsync", &inject], &small_run(FLAGS));
        assert_eq!(call.code, Some(3), "{}", call.stderr);
        assert!(call.stderr.contains("the new content is in place"), "{}", call.stderr);
        assert_eq!(call.stderr.lines().count(), 1, "{}", call.stderr);
        assert_whole(&place.path("run"), "a folder that cannot be flushed");
        let call = place.call(["run", "--resume", "run"]);
        assert!(place.finished(call).weights() == whole.weights());
    }
}

#[test]
fn a_file_system_without_locks_gives_a_warning() {
    if !strace_works() {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let place = Place::new();
    let call = traced(&place, &["-etrace=flock", "-einject=flock:error=ENOLCK"], &small_run(FLAGS));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let words = "warning: run cannot be locked on this file system (No locks available";
    assert!(call.stderr.starts_with(words) && call.stderr.lines().count() == 1, "{}", call.stderr);
}

#[test]
fn a_file_without_read_permission_is_named() {
    if !strace_works() {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    let place = Place::new();
    place.run("");
    fs::copy(crate::invocation::archive(), place.path("data.tar.gz")).unwrap();
    image::RgbImage::new(32, 32).save(place.path("picture.png")).unwrap();
    let weights = "run/weights-model_1.safetensors";
    for (file, line) in [
        ("data.tar.gz", "run --data data.tar.gz --out new".to_owned()),
        (weights, format!("run --data data.tar.gz --from {weights} --out new")),
        (weights, format!("predict --from {weights} picture.png")),
        ("picture.png", format!("predict --from {weights} picture.png")),
        ("run/config.toml", "run --config run/config.toml --out new".to_owned()),
    ] {
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        // Root may read everything, so strace makes the call fail.
        let call = traced(&place, &["-P", file, "-etrace=openat", "-einject=openat:error=EACCES"], &line);
        assert_eq!(call.code, Some(2), "{line:?}: {}{}", call.stdout, call.stderr);
        assert!(call.stderr.contains(file) && call.stderr.contains("ermission denied"), "{line:?}: {}", call.stderr);
        assert!(!place.path("new").exists(), "{line:?}");
    }
}

#[test]
fn a_file_size_limit_leaves_no_partial_file() {
    // The system writes up to the limit and refuses the rest.
    let program = assert_cmd::cargo::cargo_bin!("thawline").display();
    let line = small_run(FLAGS).join(" ");
    for blocks in [0, 1, 2, 5, 30, 100, 300] {
        let place = Place::new();
        let script = format!("ulimit -f {blocks}; exec {program} {line}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(place.path("")).env_remove("THAWLINE_DATA");
        let call = Call::from(command.output().unwrap());
        assert!(matches!(call.code, Some(0 | 3)), "{blocks} blocks: {:?} {}", call.code, call.stderr);
        assert_whole(&place.path("run"), &format!("{blocks} blocks"));
        // 15 kB: enough for the settings, but not for the weights.
        if blocks == 30 {
            assert!(call.stderr.contains("run/best-model_1.safetensors"), "{}", call.stderr);
            assert!(call.stderr.contains("once that is fixed, resume with: "), "{}", call.stderr);
        }
    }
}
