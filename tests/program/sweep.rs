//! A sweep gives the same report, byte for byte, whether it runs in one process, in shards, with interruptions, or
//! merged.
//!
//! Reports are compared without times (`--no-times`), because no two training runs take equally long. Reports from the
//! same records are compared with times.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Stdio},
};

use thawline::sweep::record::JobRecord;

use crate::invocation::{Call, Place, archive, files, names};

/// Arms of many kinds: with their own features, shared ones and none; with few pictures; with the test set as
/// validation.
const ARMS: &str =
    "tutorial,frozen,frozen-warm,scratch,frozen-random,fine-tune,head-then-all,pixels,frozen@10,scratch@10";

/// Jobs of [`ARMS`] with two seeds, without and with the pretrainings (stage 1).
const JOBS: usize = 20;
pub const ALL_JOBS: usize = JOBS + 4;

/// Default flags of a small sweep.
const SMALL: [(&str, &str); 6] = [
    ("--arms", ARMS),
    ("--seeds", "0..2"),
    ("--epochs", "2"),
    ("--batch-size", "16"),
    ("--filters", "4"),
    ("--dense", "8"),
];

/// The command line of a small sweep into a folder.
pub fn small_sweep(out: &str, flags: &str) -> Vec<String> {
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let mut line = vec!["sweep", "--data", archive().to_str().unwrap(), "--out", out, "--no-times"];
    for (name, value) in SMALL.into_iter().filter(|(name, _)| !flags.contains(name)) {
        line.extend([name, value]);
    }
    line.extend(flags);
    line.into_iter().map(str::to_owned).collect()
}

pub fn sweep(place: &Place, out: &str, flags: &str) -> Call {
    let call = place.call(small_sweep(out, flags));
    assert_eq!(call.code, Some(0), "{flags}: {}{}", call.stdout, call.stderr);
    call
}

/// The files of a report, in a sweep folder or in a separate one.
pub fn report(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(folder);
    files.retain(|name, _| !["jobs/", "weights/", "claims/", "sweep.json"].iter().any(|other| name.starts_with(other)));
    files
}

#[track_caller]
pub fn assert_same(ours: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        assert!(ours[name] == *bytes, "{name} differs");
    }
}

/// The report of a sweep by one uninterrupted process.
pub fn uninterrupted() -> &'static BTreeMap<String, Vec<u8>> {
    static REPORT: std::sync::OnceLock<BTreeMap<String, Vec<u8>>> = std::sync::OnceLock::new();
    REPORT.get_or_init(|| {
        let place = Place::new();
        sweep(&place, "sweep", "");
        report(&place.path("sweep"))
    })
}

/// Whether a line says that a job is done: `  3/24  frozen-seed-0`.
pub fn is_of_a_job(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    first.split_once('/').is_some_and(|(done, of)| done.parse::<u32>().is_ok() && of.parse::<u32>().is_ok())
}

#[test]
fn a_sweep_writes_its_records_and_all_report_files() {
    let place = Place::new();
    let call = sweep(&place, "sweep", "");
    assert!(call.stdout.contains(&format!("{JOBS} jobs + 4 pretrainings, 0 done")), "{}", call.stdout);
    assert!(call.stdout.contains("24/24  ") && !call.stdout.contains(" -0"), "{}", call.stdout);
    assert!(call.stdout.ends_with("report: sweep/report.html\n"), "{}", call.stdout);
    let folder = place.path("sweep");
    assert_eq!(names(&folder.join("jobs")).len(), ALL_JOBS);
    assert_eq!(names(&folder.join("weights")).len(), 4, "only the pretrained weights");
    let report = report(&folder);
    let expected = "arms.csv epochs.csv jobs.csv pairs.csv plots/accuracy-others.svg plots/accuracy.svg \
                    plots/differences.svg plots/loss.svg plots/reliability.svg plots/samples.svg report.html report.json";
    assert_eq!(report.keys().map(String::as_str).collect::<Vec<_>>().join(" "), expected);

    let page = str::from_utf8(&report["report.html"]).unwrap();
    // SVG's namespace is not a link.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http://", "https://", "<script", "src=\"/", "url(", "@import"] {
        assert!(!page.contains(outside), "the page is self-contained: {outside}");
    }
    let json: serde_json::Value = serde_json::from_slice(&report["report.json"]).unwrap();
    assert_eq!(json["arms"].as_array().unwrap().len(), 12);
    let jobs = str::from_utf8(&report["jobs.csv"]).unwrap();
    assert_eq!(jobs.lines().count(), 1 + ALL_JOBS);
    assert_eq!(str::from_utf8(&report["epochs.csv"]).unwrap().lines().count(), 1 + 2 * ALL_JOBS);

    // All jobs are done; the same report is written again.
    let again = sweep(&place, "sweep", "");
    assert!(again.stdout.contains(&format!("{JOBS} jobs, {JOBS} done")), "{}", again.stdout);
    let quiet = sweep(&place, "sweep", "--quiet").stdout;
    assert!(quiet.trim_start().starts_with("seeds ") && again.stdout.ends_with(&quiet), "{quiet}");
    assert_same(&self::report(&folder), uninterrupted());
    assert_same(&report, uninterrupted());
}

#[test]
fn concurrent_shards_give_the_same_report() {
    for flags in [["--shard 1/3", "--shard 2/3", "--shard 3/3"], ["", "", ""]] {
        let place = Place::new();
        let start = |flags: &str| place.command(small_sweep("sweep", flags)).stdout(Stdio::piped()).spawn().unwrap();
        let processes: Vec<Child> = flags.into_iter().map(start).collect();
        let mut trained = 0;
        for process in processes {
            let call = Call::from(process.wait_with_output().unwrap());
            assert_eq!(call.code, Some(0), "{flags:?}: {}", call.stdout);
            trained += call.stdout.lines().filter(|line| is_of_a_job(line)).count();
        }
        assert_eq!(trained, ALL_JOBS, "{flags:?}: each job runs once");
        assert_same(&report(&place.path("sweep")), uninterrupted());
    }
}

#[test]
fn shards_in_separate_folders_are_merged_into_the_same_report() {
    let place = Place::new();
    for shard in 1..=3 {
        let part = format!("part-{shard}");
        let call = sweep(&place, &part, &format!("--shard {shard}/3"));
        let words = format!("of 20 jobs are not done in {part}; the process that finishes last writes");
        assert!(call.stdout.contains(&words), "{}", call.stdout);
        assert!(!place.path(&part).join("report.html").exists(), "no report before the sweep is complete");
    }
    let merged = |flags: &[&str], parts: [&str; 4]| {
        let call = place.call([&["report", "--out", "merged", "--force"], flags, &parts].concat());
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        report(&place.path("merged"))
    };
    // A job with a record in two of the folders counts once.
    let orders = [["part-1", "part-2", "part-3", "part-1"], ["part-3", "part-2", "part-1", "part-2"]];
    orders.iter().for_each(|&parts| assert_same(&merged(&["--no-times"], parts), uninterrupted()));
    let with_times = merged(&[], orders[0]);
    assert!(with_times.contains_key("plots/time.svg"));
    assert_same(&merged(&[], orders[1]), &with_times);
    assert_same(&merged(&["--no-times"], orders[0]), uninterrupted());
}

#[test]
fn records_without_pictures_can_be_continued_without_weights() {
    let place = Place::new();
    // Shard 1 of 2 has the jobs of seed 0.
    sweep(&place, "sweep", "--shard 1/2 --arms frozen,scratch");
    let kept = JobRecord::parse(&fs::read(place.path("sweep/jobs/frozen-seed-0.json")).unwrap()).unwrap();
    assert!(kept.mistakes.iter().all(|mistake| mistake.picture.is_some()));
    sweep(&place, "sweep", "--shard 1/2 --no-pictures");
    let folder = place.path("sweep");
    for name in names(&folder.join("jobs")) {
        let record = JobRecord::parse(&fs::read(folder.join("jobs").join(name)).unwrap()).unwrap();
        assert!(record.mistakes.iter().all(|mistake| mistake.picture.is_none()), "{}", record.arm.name);
        if record.arm == kept.arm && record.seed == kept.seed {
            assert_eq!(record.reproducible_part(), kept.reproducible_part());
        }
    }
    place.call(["report", "sweep", "--out", "first", "--no-times"]);
    let page = fs::read_to_string(place.path("first/report.html")).unwrap();
    let with_pictures = str::from_utf8(&uninterrupted()["report.html"]).unwrap();
    for part in ["Most confident mistakes", "data:image/png"] {
        assert!(with_pictures.contains(part) && !page.contains(part), "{part}");
    }

    fs::remove_dir_all(folder.join("weights")).unwrap();
    let call = sweep(&place, "sweep", "--no-pictures --arms frozen-random-matched,scratch --seeds 0..1");
    assert!(call.stdout.contains("2 jobs + 1 pretraining, 1 done"), "{}", call.stdout);
    assert_eq!(names(&folder.join("weights")), ["pretrain-source-seed-0.safetensors"]);
}

#[test]
fn the_report_does_not_depend_on_threads_and_simd_level() {
    let levels = if is_x86_with("avx512f") { &["--threads 2 --simd avx2"][..] } else { &[] };
    for flags in [&["--threads 1", "--threads 3"], levels].concat() {
        let place = Place::new();
        sweep(&place, "sweep", flags);
        assert_same(&report(&place.path("sweep")), uninterrupted());
    }
}

fn is_x86_with(feature: &str) -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(feature))
}

#[test]
fn a_report_replaces_other_files_only_with_force() {
    let place = Place::new();
    let run = place.run("");
    sweep(&place, "sweep", "--arms pixels");
    sweep(&place, "other", "--arms pixels --epochs 3");
    for out in ["run", "other"] {
        let call = place.call(["report", "sweep", "--out", out]);
        assert_eq!(call.code, Some(2), "{out}: {}", call.stderr);
        let words = "exists, and is not part of a report on this sweep; name another folder with --out";
        assert!(call.stderr.contains(words) && call.stderr.lines().count() == 1, "{out}: {}", call.stderr);
        assert!(out == "other" || files(&place.path(out)) == run.files);
    }
    for out in ["run --force", "sweep", "new", "new"] {
        let call = place.call(format!("report sweep --out {out}").split(' '));
        assert_eq!(call.code, Some(0), "{out}: {}", call.stderr);
    }
    #[cfg(unix)]
    {
        fs::create_dir_all(place.path("linked")).unwrap();
        std::os::unix::fs::symlink("../run", place.path("linked/plots")).unwrap();
        let call = place.call(["report", "sweep", "--out", "linked"]);
        call.assert_refused("linked/plots: it is a link");
    }
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let place = Place::new();
    let call = sweep(&place, "sweep", "--dry-run --shard 2/4");
    let expected =
        "tutorial-seed-1\nfrozen-warm-seed-1\nfrozen-random-seed-1\nhead-then-all-seed-1\nfrozen@10-seed-1\n";
    assert_eq!(call.stdout, expected);
    // A preset leaves out what the data set has too few pictures for.
    let call = place.call(["sweep", "--preset", "full", "--data", "built-in", "--dry-run"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("frozen@250-seed-0\n") && !call.stdout.contains("frozen@1000"), "{}", call.stdout);
    let call = place.call(["sweep", "--epochs", "-1"]);
    call.assert_failed(2, "invalid value '-1' for '--epochs <N>': expected a whole number, at least 1");
    assert!(place.names().is_empty());
}

#[test]
fn trials_run_once_and_the_chosen_recipe_is_shown() {
    let place = Place::new();
    let flags = "--arms scratch,scratch-long,fine-tune,frozen --seeds 3,4 --epochs 1 --tune";
    let call = sweep(&place, "sweep", flags);
    assert!(call.stdout.contains("8 jobs + 27 trials + 2 pretrainings, 0 done"), "{}", call.stdout);
    let record = |name: &str| {
        JobRecord::parse(&fs::read(place.path("sweep/jobs").join(format!("{name}.json"))).unwrap()).unwrap()
    };
    let recipe = |name: &str| record(name).arm.recipe;
    assert!(["scratch", "fine-tune", "frozen"].iter().all(|arm| recipe(&format!("{arm}-seed-3")).is_some()));
    assert_eq!(recipe("scratch-long-seed-4"), recipe("scratch-seed-4"));
    assert_eq!((record("scratch-long-seed-4").history.len(), record("scratch-seed-4").history.len()), (2, 1));
    let page = fs::read_to_string(place.path("sweep/report.html")).unwrap();
    assert_eq!(page.matches("✓\u{a0}").count(), 3, "one trial of each tuned arm is chosen");
    // Another process repeats no trial and chooses the same recipes.
    let again = sweep(&place, "sweep", flags);
    assert!(again.stdout.contains("8 jobs + 27 trials, 35 done"), "{}", again.stdout);
}

#[test]
fn splits_are_trained_in_both_directions() {
    let place = Place::new();
    let call = sweep(&place, "sweep", "--arms splits --splits 4 --seeds 0 --epochs 1");
    assert!(call.stdout.contains("8 jobs + 8 pretrainings, 0 done"), "{}", call.stdout);
}

#[test]
fn user_errors_are_one_line_and_leave_no_files() {
    let place = Place::new();
    let data = archive().to_str().unwrap();
    for (flags, words) in [
        (
            "--arms frozen,scrach",
            "--arms: unknown arm 'scrach'; did you mean scratch? docs/experiment.md lists all arms",
        ),
        ("--arms frozen,", "--arms 'frozen,': a name is empty; expected a list such as frozen,scratch"),
        ("--preset controls --arms frozen", "'--preset <PRESET>' cannot be used with '--arms <NAMES>'"),
        ("--preset enormous", "'enormous' for '--preset <PRESET>'; expected one of quick, controls, full"),
        ("--seeds 4..4", "--seeds: the range 4..4 is empty: its end is excluded, so 0..3 is 0, 1, 2"),
        ("--seeds one", "--seeds: 'one' is not a seed"),
        ("--shard 3/2", "expected I/N with I from 1 to N, such as 2/8"),
        ("--epochs 0", "'--epochs <N>': expected a whole number, at least 1"),
        ("--arms frozen@500", "frozen@500: boat has 18 training pictures left after holding out, and this arm needs"),
        ("--arms vehicles-to-animals", "the data set has no class"),
        ("--arms frozen-warm --target 5-8", "a warm head needs as many target classes as source classes"),
        ("--arms splits --source-epochs 3", "must equal --epochs, because splits are compared with stage 1"),
        ("--arms splits --splits 127", "'--splits <N>': expected a whole number from 1 to 126"),
        (
            "--source-data built-in --arms joint",
            "joint: with --source-data, arms on source and target classes together",
        ),
        ("--per-class 1", "--per-class 1 leaves no training pictures of boat; expected at least 2"),
    ] {
        let line = format!("sweep --data {data} --out sweep {flags}");
        let call = place.call(line.split(' '));
        call.assert_refused(words);
        assert!(place.names().is_empty(), "{flags}: something was written");
    }
}

#[test]
fn folders_without_a_sweep_or_with_another_one_are_refused() {
    let place = Place::new();
    sweep(&place, "sweep", "--arms pixels");
    let refused = |line: &str, words: &str| {
        let call = place.call(line.split(' '));
        call.assert_refused(words);
    };
    refused("report .", ".: is neither a finished run (with summary.json) nor a sweep (with sweep.json)");
    refused("report nowhere", "nowhere: is neither a finished run (with summary.json) nor a sweep (with sweep.json)");
    let longer = place.call(small_sweep("sweep", "--epochs 3"));
    longer.assert_refused("sweep and this command have different settings: epochs is 2 and 3");
    sweep(&place, "longer", "--arms pixels --epochs 3");
    refused(
        "report sweep longer",
        "hold different sweeps: epochs is 2 and 3, source-epochs is 2 and 3; report on each separately",
    );

    let record = place.path("sweep/jobs/pixels-seed-0.json");
    let whole = fs::read_to_string(&record).unwrap();
    fs::write(&record, &whole[..whole.len() / 2]).unwrap();
    refused("report sweep", "pixels-seed-0.json: not a job record");
    let call = place.call(small_sweep("sweep", "--arms pixels"));
    assert!(call.code == Some(2) && call.stderr.contains("remove it to run the job again"));

    // One changed digit, and the files that macOS adds on foreign file systems.
    fs::write(&record, whole.replacen("\"nll\": 1.", "\"nll\": 0.", 1)).unwrap();
    refused("report sweep", "pixels-seed-0.json: not a job record: it is damaged or was changed");
    fs::write(&record, &whole).unwrap();
    fs::write(place.path("sweep/jobs/._pixels-seed-0.json"), b"\0\x05\x16\x07\0\x02\0\0Mac OS X").unwrap();
    assert_eq!(place.call(["report", "sweep"]).code, Some(0));

    // A record with another result than the same job's record elsewhere.
    fs::create_dir_all(place.path("forged/jobs")).unwrap();
    fs::copy(place.path("sweep/sweep.json"), place.path("forged/sweep.json")).unwrap();
    let mut other = JobRecord::parse(whole.as_bytes()).unwrap();
    other.test.nll += 1.0;
    fs::write(place.path("forged/jobs/pixels-seed-0.json"), other.to_json()).unwrap();
    refused("report sweep forged", "have different results for pixels, seed 0");

    // A sweep of an older format.
    let settings = fs::read_to_string(place.path("sweep/sweep.json")).unwrap();
    fs::write(place.path("sweep/sweep.json"), settings.replacen("\"format\": 3", "\"format\": 2", 1)).unwrap();
    let words = "a sweep of format 2 by Thawline 0.1.0, and this program reads format 3: its protocol differs";
    refused("report sweep", words);
    let call = place.call(small_sweep("sweep", "--arms pixels"));
    call.assert_refused(words);

    // An unknown setting.
    fs::write(place.path("sweep/sweep.json"), settings.replacen('{', "{\"rate\": 1,", 1)).unwrap();
    refused("report sweep", "sweep.json: 'rate' is unknown");
}
