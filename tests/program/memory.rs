//! Too little memory: whichever allocation fails, in any thread, the program reports it, exits with code 3, and leaves
//! a run that can be resumed.
#![cfg(target_os = "linux")]

use std::fs;

use crate::invocation::{Call, Place, archive, small_run};

/// Calls the program with an address space of `kib` KiB.
pub fn limited(place: &Place, kib: u64, line: &[String]) -> Call {
    place.within(&format!("ulimit -v {kib}"), line)
}

/// An address space, in KiB, with which the program can be loaded: the smallest one in thousands, plus a thousand.
pub fn loadable() -> u64 {
    let version = ["--version".to_owned()];
    let loads = |kib: &u64| limited(&Place::new(), *kib, &version).code == Some(0);
    (8..200).map(|thousands| 1000 * thousands).find(loads).expect("200 MB are enough") + 1000
}

fn line(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn with_any_memory_limit_a_run_succeeds_or_exits_with_3_and_can_be_resumed() {
    const FLAGS: &str = "--out run --threads 2 --quiet";
    let whole = Place::new().run("--threads 2");
    let least = loadable();
    let (mut done, mut allocations, mut started) = (0, 0, 0);
    for kib in (least..least + 24_000).step_by(600) {
        let place = Place::new();
        let call = limited(&place, kib, &small_run(FLAGS));
        if call.code == Some(0) {
            done += 1;
            assert!(place.finished(call).weights() == whole.weights(), "{kib} KiB: other weights");
            continue;
        }
        assert_eq!(call.code, Some(3), "{kib} KiB: {}{}", call.stdout, call.stderr);
        // The standard library and glibc print their own message if one of their allocations fails, possibly in the
        // middle of the program's line.
        let in_std = call.stderr.contains("memory allocation of ");
        allocations += u32::from(in_std);
        let said = call.stderr.starts_with("error: ") && call.stderr.lines().count() == 1;
        let by_others = in_std || ["aborting", "glibc"].iter().any(|theirs| call.stderr.contains(theirs));
        assert!(said || by_others, "{kib} KiB: {}", call.stderr);
        if place.path("run/config.toml").exists() && place.path("run/environment.json").exists() {
            started += 1;
            let call = place.call(line("run --resume run"));
            let resumed = place.finished(call);
            assert!(resumed.weights() == whole.weights(), "{kib} KiB: other weights after resuming");
            assert!(!resumed.files.keys().any(|name| name.contains("partial")), "{kib} KiB: temporary file left");
        }
    }
    println!("{done} done, {allocations} ended by an allocation, {started} resumed");
    assert!(
        done > 0 && allocations > 0,
        "this test tests too little: {done} done, {allocations} ended by an allocation"
    );
}

#[test]
fn other_commands_succeed_or_exit_with_3_too() {
    let place = Place::new();
    place.run("");
    image::RgbImage::new(32, 32).save(place.path("picture.png")).unwrap();
    let data = archive().display();
    let least = loadable();
    let mut failed = 0;
    for work in [
        format!("data verify {data}"),
        format!("eval --from run/weights-model_1.safetensors --data {data} --threads 1"),
        "predict --from run/weights-model_1.safetensors picture.png --threads 1".to_owned(),
        "data synth new.tar.gz --train 200 --test 100".to_owned(),
    ] {
        let mut done = 0;
        for kib in (least..least + 24_000).step_by(1500) {
            let call = limited(&place, kib, &line(&work));
            assert!(matches!(call.code, Some(0 | 3)), "{work}, {kib} KiB: {:?} {}", call.code, call.stderr);
            assert!(call.code == Some(0) || !call.stderr.is_empty(), "{work}, {kib} KiB");
            failed += u32::from(call.code == Some(3));
            done += u32::from(call.code == Some(0));
            // Complete or absent.
            if call.code == Some(3) {
                assert!(!place.path("new.tar.gz").exists(), "{kib} KiB");
            }
            let _ = fs::remove_file(place.path("new.tar.gz"));
        }
        assert!(done > 0, "{work}: never enough memory, so this test tests too little");
    }
    assert!(failed > 0, "this test tests too little");
}

#[test]
fn features_that_exceed_the_free_memory_are_not_cached() {
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
    assert!(refused.stderr.contains("the features of 310 pictures take 62.2 MB, and "), "{}", refused.stderr);
    let [features, free] = amounts(&refused.stderr)[..] else { panic!("{}", refused.stderr) };
    // With this much more memory, the features exceed half of the free memory, and everything else fits.
    let call = run(little + ((features * 1.8 - free) / 1024.0) as u64, "");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("off: the features would take 62.2 MB, and at most "), "{}", call.stdout);
    let without = place.finished(call);
    fs::remove_dir_all(place.path("run")).unwrap();
    let with = place.finished(place.call(small_run(&format!("--data data.tar.gz {FLAGS} --cache on"))));
    assert!(with.weights() == without.weights(), "the cache changes the weights");
}

#[test]
fn pictures_that_exceed_the_free_memory_are_not_read() {
    // 200 pictures of 448 x 448 pixels: 120 MB.
    let place = Place::new();
    for class in ["dark", "light"] {
        fs::create_dir_all(place.path("pictures").join(class)).unwrap();
        for number in 0..100 {
            fs::write(place.path("pictures").join(class).join(format!("{number}.png")), "not a picture").unwrap();
        }
    }
    let call = limited(&place, loadable() + 60_000, &line("adapt pictures --size 448 --threads 1 --quiet --out run"));
    call.assert_failed(3, "reading the pictures needs up to 120 MB more memory, but only ");
    assert!(!place.path("run").exists());
}

/// The amounts of memory in a text, in bytes.
fn amounts(text: &str) -> Vec<f64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let amount = |pair: &[&str]| {
        let unit = [("kB", 1e3), ("MB", 1e6), ("GB", 1e9)].into_iter().find(|(unit, _)| pair[1].starts_with(unit))?;
        Some(pair[0].parse::<f64>().ok()? * unit.1)
    };
    words.windows(2).filter_map(amount).collect()
}

/// The estimate in the line on memory, in bytes.
fn estimate(stdout: &str) -> f64 {
    let line = stdout.lines().find(|line| line.starts_with("memory    about ")).expect("a line on memory");
    amounts(line)[0]
}

#[test]
fn the_memory_estimate_is_close_to_the_peak() {
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
        line("adapt pictures --head dense --epochs 1 --threads 2 --out run"),
        line("adapt pictures --threads 2 --out run"),
    ] {
        let call = place.call(&line);
        assert_eq!(call.code, Some(0), "{line:?}: {}", call.stderr);
        let (estimate, taken) = (estimate(&call.stdout), place.summary("run")["peak_memory_bytes"].as_f64().unwrap());
        println!("{:.1} MB estimated, {:.1} MB taken: {line:?}", estimate / 1e6, taken / 1e6);
        assert!((0.8..1.25).contains(&(estimate / taken)), "{estimate} estimated, {taken} taken: {line:?}");
        fs::remove_dir_all(place.path("run")).unwrap();
    }
}
