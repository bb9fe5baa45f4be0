//! Too little memory: whichever allocation fails, in whichever thread, the program says so, ends with exit code 3, and
//! leaves a run that goes on.
#![cfg(target_os = "linux")]

use std::{fs, process::Command};

use crate::invocation::{Call, Place, archive, small_run};

/// The program in a shell that allows so many KiB of address space.
pub fn limited(place: &Place, kib: u64, line: &[String]) -> Call {
    let program = assert_cmd::cargo::cargo_bin!("thawline").display();
    let script = format!("ulimit -v {kib}; exec {program} {}", line.join(" "));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(place.path(""));
    for variable in ["THAWLINE_DATA", "THAWLINE_SIMD", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command.output().unwrap().into()
}

/// The least KiB with which the program can be loaded and its stack can grow, to a thousand.
pub fn loadable() -> u64 {
    let version = ["--version".to_owned()];
    let loads = |kib: &u64| limited(&Place::new(), *kib, &version).code == Some(0);
    (8..200).map(|thousands| 1000 * thousands).find(loads).expect("200 MB are enough") + 1000
}

fn line(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn however_little_there_is_the_work_is_done_or_the_exit_code_is_3_and_the_run_goes_on() {
    const FLAGS: &str = "--out run --threads 2 --quiet";
    let whole = Place::new().run("--threads 2");
    let least = loadable();
    let (mut done, mut allocations, mut begun) = (0, 0, 0);
    for kib in (least..least + 24_000).step_by(600) {
        let place = Place::new();
        let call = limited(&place, kib, &small_run(FLAGS));
        if call.code == Some(0) {
            done += 1;
            assert!(place.finished(call).weights() == whole.weights(), "{kib} KiB: other weights");
            continue;
        }
        assert_eq!(call.code, Some(3), "{kib} KiB: {}{}", call.stdout, call.stderr);
        // Where an allocation of the standard library or of glibc fails, they say so themselves: alone, or from another
        // thread, within the program's own line.
        let of_an_allocation = call.stderr.contains("memory allocation of ");
        allocations += u32::from(of_an_allocation);
        let said = call.stderr.starts_with("error: ") && call.stderr.lines().count() == 1;
        let by_others = of_an_allocation || ["aborting", "glibc"].iter().any(|theirs| call.stderr.contains(theirs));
        assert!(said || by_others, "{kib} KiB: {}", call.stderr);
        if place.path("run/config.toml").exists() && place.path("run/environment.json").exists() {
            begun += 1;
            let call = place.call(line("run --resume run"));
            let resumed = place.finished(call);
            assert!(resumed.weights() == whole.weights(), "{kib} KiB: other weights after going on");
            assert!(!resumed.files.keys().any(|name| name.contains("partial")), "{kib} KiB: a leftover");
        }
    }
    println!("{done} done, {allocations} ended by an allocation, {begun} gone on");
    assert!(
        done > 0 && allocations > 0,
        "this test tests too little: {done} done, {allocations} ended by an allocation"
    );
}

#[test]
fn what_only_reads_ends_so_too() {
    let place = Place::new();
    place.run("");
    image::RgbImage::new(32, 32).save(place.path("picture.png")).unwrap();
    let data = archive().display();
    let least = loadable();
    let mut failed = 0;
    for work in [
        format!("data verify {data}"),
        format!("eval --from run/weights-model_1.safetensors --data {data}"),
        "predict --from run/weights-model_1.safetensors picture.png".to_owned(),
        format!("data synth {} --train 200 --test 100", "new.tar.gz"),
    ] {
        for kib in (least..least + 12_000).step_by(1500) {
            let call = limited(&place, kib, &line(&work));
            assert!(matches!(call.code, Some(0 | 3)), "{work}, {kib} KiB: {:?} {}", call.code, call.stderr);
            assert!(call.code == Some(0) || !call.stderr.is_empty(), "{work}, {kib} KiB");
            failed += u32::from(call.code == Some(3));
            // Whole, or not there.
            if call.code == Some(3) {
                assert!(!place.path("new.tar.gz").exists(), "{kib} KiB");
            }
            let _ = fs::remove_file(place.path("new.tar.gz"));
        }
    }
    assert!(failed > 0, "this test tests too little");
}

#[test]
fn features_beyond_the_free_memory_are_computed_for_each_batch_or_refused_where_they_must_be_kept() {
    // 64 channels of 28 x 28 floats for each of 310 pictures: 62 MB.
    const FLAGS: &str = "--filters 2,64 --pool 1 --dense 1 --limit 300 --batch-size 8 --threads 1 --out run";
    let place = Place::new();
    assert_eq!(place.call(line("data synth data.tar.gz --train 600 --test 20")).code, Some(0));
    let run = |kib: u64, cache: &str| limited(&place, kib, &small_run(&format!("--data data.tar.gz {FLAGS}{cache}")));
    let little = loadable() + 15_000;
    let refused = run(little, " --cache on");
    assert_eq!(refused.code, Some(3), "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.starts_with("error: --cache on: the features of "), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("; use --cache off (slower, the same results), or --limit\n"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert_eq!(place.names(), ["data.tar.gz"], "nothing was written");
    // It names the bytes that the features take and those that are free.
    let numbers: Vec<u64> = refused.stderr.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[pictures, features, free] = &numbers[..] else { panic!("{}", refused.stderr) };
    assert_eq!((pictures, features), (310, 310 * 28 * 28 * 64 * 4));
    // With so much more, they are larger than a half of what is free, and all else has room.
    let call = run(little + (features * 9 / 5 - free) / 1024, "");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("off: the features would take 62.2 MB, and half of the free"), "{}", call.stdout);
    let without = place.finished(call);
    fs::remove_dir_all(place.path("run")).unwrap();
    let with = place.finished(place.call(small_run(&format!("--data data.tar.gz {FLAGS} --cache on"))));
    assert!(with.weights() == without.weights(), "kept or not, the features are the same");
}

/// The bytes that the line on memory says, at most.
fn announced(stdout: &str) -> f64 {
    let line = stdout.lines().find(|line| line.starts_with("memory    up to ")).expect("memory is announced");
    let words: Vec<&str> = line.split_whitespace().collect();
    let unit = match words[4].trim_end_matches(':') {
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        other => panic!("{other}: {line}"),
    };
    words[3].parse::<f64>().unwrap() * unit
}

#[test]
fn the_announced_peak_is_what_is_taken() {
    let place = Place::new();
    for (class, shade) in [("dark", 20), ("light", 220)] {
        fs::create_dir_all(place.path("pictures").join(class)).unwrap();
        for number in 0..10 {
            let picture = image::RgbImage::from_pixel(32, 32, image::Rgb([shade, number, shade]));
            picture.save(place.path("pictures").join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    for line in [
        small_run("--threads 1 --out run"),
        small_run("--threads 2 --dense 2000 --filters 16 --out run"),
        small_run("--threads 4 --filters 16,64 --out run"),
        small_run("--threads 2 --filters 32 --batch-size 64 --cache off --out run"),
        line("adapt pictures --epochs 1 --threads 2 --out run"),
    ] {
        let call = place.call(&line);
        assert_eq!(call.code, Some(0), "{line:?}: {}", call.stderr);
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(place.path("run/summary.json")).unwrap()).unwrap();
        let (announced, taken) = (announced(&call.stdout), summary["peak_memory_bytes"].as_f64().unwrap());
        println!("{:.1} MB announced, {:.1} MB taken: {line:?}", announced / 1e6, taken / 1e6);
        assert!((0.8..1.25).contains(&(announced / taken)), "{announced} announced, {taken} taken: {line:?}");
        fs::remove_dir_all(place.path("run")).unwrap();
    }
}
