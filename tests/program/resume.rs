//! Resuming runs that were interrupted by a signal, killed at any moment, or damaged.

use std::fs;

use thawline::{
    record::{
        pictures::ReportPictures,
        run::{EpochRow, ModelRecord, RunRecord},
    },
    report::{self, Grids},
};

use crate::invocation::{Call, Place, Run, Running, names, small_run};

/// Two epochs of three steps for each model.
const FLAGS: &str = "--epochs 2 --limit 90 --batch-size 40 --out run";

/// A record without times, rates, the date and peak memory.
fn timeless(run: &Run) -> RunRecord {
    let mut record = RunRecord::from_json(run.read("summary.json")).unwrap();
    let clear_times = |model: &mut ModelRecord| {
        (model.total_seconds, model.features_seconds, model.images_per_second) = (1.0, 0.0, 1.0);
        model.history.iter_mut().for_each(|row: &mut EpochRow| row.seconds = 1.0);
    };
    record.model_1.iter_mut().chain([&mut record.model_2]).chain(&mut record.frozen_random).for_each(clear_times);
    record.environment.date.clear();
    record.peak_memory_bytes = None;
    record
}

/// Asserts that two runs have the same weights, metrics, pictures and report, except for times. The report depends only
/// on the record and the pictures, so it is made again from the records without times.
pub fn assert_same(run: &Run, other: &Run, what: &str) {
    assert!(run.weights() == other.weights(), "{what}: the weights differ");
    assert_eq!(run.metrics(), other.metrics(), "{what}: the metrics differ");
    let [first, second] = [run, other].map(timeless);
    assert_eq!(first, second, "{what}: the records differ");
    let draw = |record: &RunRecord| report::render(record, &Grids::new(record, &ReportPictures::default()));
    assert!(draw(&first) == draw(&second), "{what}: the reports differ");
    assert!(run.files.keys().eq(other.files.keys()), "{what}: {:?}", other.files.keys());
    for name in ["pictures/source.png", "pictures/target.png", "config.toml"] {
        assert!(run.read(name) == other.read(name), "{what}: {name} differs");
    }
}

fn uninterrupted() -> Run {
    let place = Place::new();
    let call = place.call(small_run(FLAGS));
    place.finished(call)
}

fn resume(place: &Place, flags: &str) -> Call {
    place.call(format!("run --resume run {flags}").split_whitespace())
}

#[test]
fn resuming_a_finished_run_does_nothing() {
    let place = Place::new();
    let run = place.run("");
    let call = resume(&place, "");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("this run has finished"), "{}", call.stdout);
    let again = place.finished(call);
    assert!(again.files == run.files, "nothing changed");
    // Its pictures may be gone.
    let config = String::from_utf8(run.read("config.toml").to_vec()).unwrap();
    let line = config.lines().find(|line| line.starts_with("data = ")).unwrap();
    fs::write(place.path("run/config.toml"), config.replace(line, "data = \"gone\"")).unwrap();
    let json = resume(&place, "--json").stdout;
    assert_eq!(json.as_bytes(), run.read("summary.json"));
}

#[test]
fn resuming_a_finished_run_restores_a_missing_report() {
    let place = Place::new();
    let run = place.run("");
    for lost in ["report.html", "plots"] {
        let path = place.path("run").join(lost);
        fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).unwrap();
        let other = place.call(["run", "--resume", "run", "--data", "built-in"]);
        other.assert_refused("--data: built-in: expected pictures of SHA-256 ");
        let call = resume(&place, "");
        assert_eq!(call.stdout, "this run had finished; its report was rewritten\nreport: run/report.html\n");
        let again = place.finished(call);
        assert!(again.files == run.files, "{lost}");
    }
    fs::write(place.path("run/summary.json"), "{").unwrap();
    let call = resume(&place, "");
    call.assert_refused("run/summary.json: not a run record: ");
    assert!(call.stderr.contains("remove it to continue without it"), "{}", call.stderr);
    fs::remove_file(place.path("run/summary.json")).unwrap();
    fs::create_dir(place.path("run/summary.json")).unwrap();
    resume(&place, "").assert_refused("run/summary.json: is a folder; expected a record that this program wrote");
    fs::remove_dir(place.path("run/summary.json")).unwrap();
    resume(&place, "");
    assert!(place.path("run/summary.json").exists(), "the run was trained again");
}

#[test]
fn folders_that_cannot_be_resumed_are_refused() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    fs::write(place.path("file"), "").unwrap();
    for (line, words) in [
        ("run --resume nowhere", "--resume: nowhere: no such folder; expected the folder of an interrupted run"),
        ("run --resume file", "--resume: file: is not a folder"),
        ("run --resume empty", "--resume: empty/config.toml: no such file: this is not a run folder"),
        ("run --resume empty --epochs 3", "the argument '--resume <DIR>' cannot be used with: --epochs <N>; see"),
        (
            "run --resume empty --limit=3 --seed 2 --epochs 3",
            "cannot be used with: --limit <N>; --epochs <N>; --seed <N>; see",
        ),
    ] {
        let call = place.call(line.split_whitespace());
        call.assert_refused(words);
    }
}

#[test]
fn invalid_settings_of_a_run_are_named_with_their_line() {
    let place = Place::new();
    place.run("");
    let path = place.path("run/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let lines = config.lines().count();
    let with = |key: &str, value: &str| -> String {
        let line = |line: &str| match line.starts_with(&format!("{key} =")) {
            true => format!("{key} = {value}\n"),
            false => format!("{line}\n"),
        };
        config.lines().map(line).collect()
    };
    for (text, words) in [
        (format!("{config}epoch = 3\n"), format!("line {}: unknown setting 'epoch'; ", lines + 1)),
        (config.replace("epochs = 1", "epochs = \"one\""), ": expected a whole number >= 0, found \"one\"".to_owned()),
        (config.replace("epochs = 1\n", ""), "line 1: epochs is missing".to_owned()),
        (
            config.replace("filters = [8, 8]", "filters = [8]"),
            "expected an array of length 2, found 1 values".to_owned(),
        ),
        // Values that the flags refuse.
        (config.replace("epochs = 1", "epochs = 0"), "'0' for '--epochs <N>': expected a whole number".to_owned()),
        (format!("early-stopping = 0\n{config}"), "line 1: invalid value '0' for '--early-stopping <N>'".to_owned()),
        (with("threads", "5000"), "'5000' for '--threads <N>': expected at most 1,024 threads".to_owned()),
    ] {
        fs::write(&path, text).unwrap();
        let call = place.prompt(&["run", "--resume", "run"]);
        assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{words}");
        let named = call.stderr.starts_with("error: --resume: run/config.toml, line ");
        assert!(named && call.stderr.contains(&words), "{words}: {}", call.stderr);
        assert_eq!(call.stderr.lines().count(), 1, "{}", call.stderr);
    }
    fs::write(&path, config.replace("seed = 1", "seed = 9223372036854775808")).unwrap();
    let call = place.prompt(&["run", "--resume", "run"]);
    assert_eq!((call.code, call.stderr.contains("run/config.toml: a number is too large")), (Some(2), true));
    fs::write(&path, b"\xff\xfe").unwrap();
    let call = place.prompt(&["run", "--resume", "run"]);
    assert_eq!((call.code, call.stderr.contains("run/config.toml: is not a text file")), (Some(2), true));
    fs::write(&path, &config).unwrap();
    fs::write(place.path("run/environment.json"), "{").unwrap();
    let call = place.prompt(&["run", "--resume", "run"]);
    call.assert_refused("environment.json: is damaged, or was written by another version of the program");
}

#[cfg(unix)]
mod unix {
    use std::{
        ffi::{OsStr, OsString},
        os::unix::ffi::OsStrExt,
        process::{Command, Stdio},
        thread,
        time::Instant,
    };

    use super::*;

    /// A run of many epochs, interrupted by a signal after the first epoch's line.
    fn interrupted(signal: &str) -> (Place, Call) {
        interrupted_in(OsStr::new("run"), signal)
    }

    fn interrupted_in(out: &OsStr, signal: &str) -> (Place, Call) {
        // On a busy machine the signal may come when model_1 is already trained.
        let in_time = |(_, call): &(Place, Call)| {
            let said = call.stderr.starts_with("error: interrupted in epoch ");
            assert!(said || call.code == Some(0) && call.stderr.is_empty(), "{:?} {}", call.code, call.stderr);
            call.stderr.contains(" of model_1, after step ")
        };
        (0..10).map(|_| signalled_in(out, signal)).find(in_time).expect("the signal came too late, ten times")
    }

    fn signalled_in(out: &OsStr, signal: &str) -> (Place, Call) {
        let place = Place::new();
        let flags = FLAGS.replace("--epochs 2", "--epochs 40").replace(" --out run", "");
        let mut command = place.command(small_run(&flags));
        command.arg([OsStr::new("--out="), out].into_iter().collect::<OsString>());
        let mut run = Running::start(command);
        run.until(|line| line.trim_start().starts_with("1/40"));
        run.signal(signal);
        let call = run.end();
        (place, call)
    }

    #[test]
    fn an_interrupted_run_prints_the_command_that_resumes_it() {
        let whole = {
            let place = Place::new();
            let flags = FLAGS.replace("--epochs 2", "--epochs 40").replace("--out run", "--out=run");
            let call = place.call(small_run(&flags));
            place.finished(call)
        };
        for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
            let (place, call) = interrupted(signal);
            assert_eq!(call.code, Some(code), "{}", call.stderr);
            let (what, command) = call.stderr.trim_end().split_once("; resume with: ").unwrap();
            assert!(
                what.starts_with("error: interrupted in epoch ") && what.contains(" of model_1, after step "),
                "{what}"
            );
            let files = names(&place.path("run"));
            assert!(files.contains(&"checkpoint-model_1.safetensors".to_owned()), "{files:?}");
            // Runs the printed command in a shell.
            let mut shell = Command::new("sh");
            shell.args(["-c", command]).current_dir(place.path("")).env_remove("THAWLINE_DATA");
            let resumed = Call::from(shell.output().unwrap());
            assert!(resumed.stdout.contains("model_1 resumes after epoch "), "{}{}", resumed.stdout, resumed.stderr);
            assert_same(&whole, &place.finished(resumed), signal);
        }
    }

    #[test]
    fn the_printed_command_quotes_any_name() {
        let (place, call) = interrupted_in(OsStr::from_bytes(b"-it's \xff"), "-INT");
        let (_, command) = call.stderr.trim_end().split_once("; resume with: ").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(place.path("")).env_remove("THAWLINE_DATA");
        let resumed = Call::from(shell.output().unwrap());
        assert_eq!(resumed.code, Some(0), "{command}: {}", resumed.stderr);
    }

    /// A run can be killed at any moment and resumed to the same result.
    #[test]
    fn a_run_that_is_killed_repeatedly_gives_the_same_result() {
        let began = Instant::now();
        let whole = uninterrupted();
        let time = began.elapsed();
        let (mut kills, mut resumed) = (0, 0);
        let most = if std::env::var_os("THAWLINE_TEST_THOROUGH").is_some() { 200 } else { 20 };
        while kills < most {
            let place = Place::new();
            for attempt in 0.. {
                let started = place.path("run/config.toml").exists();
                let line = if started { vec!["run".into(), "--resume".into(), "run".into()] } else { small_run(FLAGS) };
                let mut child = place.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
                // Kills are spread over the run's duration: 7 and `most` have no common divisor. The last attempts may
                // finish.
                let moment = time.mul_f64((f64::from(kills * 7 % most) + 0.5) / f64::from(most));
                if kills < most && attempt < 5 {
                    thread::sleep(moment);
                    child.kill().unwrap();
                    kills += 1;
                }
                resumed += u32::from(started);
                let _ = child.wait();
                let call = Call::from(child.wait_with_output().unwrap());
                if call.code == Some(0) {
                    break;
                }
                assert_eq!(call.code, None, "neither killed nor done: {}", call.stderr);
            }
            let call = place.call(["run", "--resume", "run"]);
            assert_eq!(call.code, Some(0), "{}", call.stderr);
            let run = place.finished(call);
            assert_same(&whole, &run, "killed");
            assert!(!run.files.keys().any(|name| name.contains("partial") || name.starts_with("checkpoint")));
        }
        println!("{kills} kills, {resumed} resumed");
        assert!(resumed > 0, "no run was killed after its start");
    }

    #[test]
    fn a_torn_checkpoint_is_replaced_by_the_previous_one() {
        let (place, _) = interrupted("-INT");
        let [last, previous] = ["run/checkpoint-model_1.safetensors", "run/checkpoint-model_1-previous.safetensors"]
            .map(|name| place.path(name));
        assert!(previous.exists(), "no checkpoint of the epoch");
        let bytes = fs::read(&last).unwrap();
        fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
        let call = resume(&place, "--threads 1");
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        let words = "checkpoint-model_1.safetensors: is truncated or damaged";
        assert!(
            call.stdout.contains(words) && call.stdout.contains("resuming from the previous checkpoint"),
            "{}",
            call.stdout
        );
        let torn = place.finished(call);

        // Without an intact previous checkpoint, the error says what to do.
        let (place, _) = interrupted("-INT");
        fs::write(place.path("run/checkpoint-model_1.safetensors"), &bytes[..100]).unwrap();
        fs::write(place.path("run/checkpoint-model_1-previous.safetensors"), &bytes[..100]).unwrap();
        let call = resume(&place, "");
        call.assert_failed(
            2,
            "remove this file and run/checkpoint-model_1-previous.safetensors to train model_1 again",
        );
        fs::remove_file(place.path("run/checkpoint-model_1-previous.safetensors")).unwrap();
        let call = resume(&place, "");
        call.assert_failed(2, "remove this file to train model_1 again from the start");
        fs::remove_file(place.path("run/checkpoint-model_1.safetensors")).unwrap();
        let restarted = resume(&place, "");
        assert_same(&torn, &place.finished(restarted), "from the previous checkpoint, and from the start");
    }

    #[test]
    fn a_checkpoint_of_other_settings_or_pictures_is_refused() {
        let (place, _) = interrupted("-INT");
        let config = fs::read_to_string(place.path("run/config.toml")).unwrap();
        fs::write(place.path("run/config.toml"), config.replace("learning-rate = 0.001", "learning-rate = 0.002"))
            .unwrap();
        let call = resume(&place, "");
        assert_eq!(call.code, Some(2));
        let words = "run/checkpoint-model_1.safetensors: was written with settings that differ from config.toml: \
                     learning-rate was 0.001 and is 0.002; ";
        assert!(call.stderr.contains(words), "{}", call.stderr);
        fs::write(place.path("run/config.toml"), config).unwrap();

        let synth = place.call(["data", "synth", "other.tar.gz", "--train", "200", "--test", "100", "--seed", "9"]);
        assert_eq!(synth.code, Some(0));
        let hash = |path: &str| {
            let call = place.call(["data", "info", path, "--json"]);
            let info: serde_json::Value = serde_json::from_str(&call.stdout).unwrap();
            info["data"]["sha256"].as_str().unwrap().to_owned()
        };
        let [before, now] = [crate::invocation::archive().to_str().unwrap(), "other.tar.gz"].map(hash);
        let words = format!("expected pictures of SHA-256 {before}, found {now}; give the pictures that the run");
        resume(&place, "--data other.tar.gz").assert_failed(2, &words);
        let call = resume(&place, "--data nowhere.tar.gz");
        call.assert_refused("--data: nowhere.tar.gz: no such file");
        // The same pictures at another path are accepted.
        fs::copy(crate::invocation::archive(), place.path("moved.tar.gz")).unwrap();
        let call = resume(&place, "--data moved.tar.gz");
        assert!(call.code == Some(0) && call.stdout.contains("named by --data"), "{}{}", call.stdout, call.stderr);
    }

    #[test]
    fn a_running_run_cannot_be_resumed() {
        let place = Place::new();
        let mut first = Running::start(place.command(small_run(&FLAGS.replace("--epochs 2", "--epochs 100000"))));
        first.until(|line| line.trim_start().starts_with("1/100000"));
        let call = resume(&place, "");
        first.signal("-KILL");
        assert_eq!(first.end().code, None);
        call.assert_refused("--resume: run is in use by another process");
        // A dead process holds no lock.
        let mut second = Running::start(place.command(["run", "--resume", "run"]));
        second.until(|line| line.contains("epoch "));
        second.signal("-INT");
        assert_eq!(second.end().code, Some(130));
    }

    #[test]
    fn the_best_checkpoint_is_kept_and_can_be_used_as_a_model() {
        let place = Place::new();
        place.run("--epochs 3");
        for model in ["model_1", "model_2"] {
            let file = format!("run/best-{model}.safetensors");
            let line = format!(
                "run --data {} --epochs 1 --limit 20 --out {model} --from {file}",
                crate::invocation::archive().display()
            );
            let call = place.call(line.split_whitespace());
            assert_eq!(call.code, Some(0), "{}", call.stderr);
        }
    }
}
