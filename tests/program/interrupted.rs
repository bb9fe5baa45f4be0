//! Runs with all kinds of training state, interrupted repeatedly, resume to the same result.

use std::{fs, process::Command, thread, time::Duration};

use crate::{
    invocation::{Call, Place, Run, Running, names, small_run},
    resume::assert_same,
};

/// A network whose batch normalization keeps statistics between steps, in the features and in the head.
const NORMALIZED: &str = r#"
layers = [
    { type = "Conv2D", filters = 6, kernel_size = 3, strides = 2 },
    { type = "BatchNormalization", momentum = 0.8 },
    { type = "Activation", activation = "relu" },
    { type = "Conv2D", filters = 6, kernel_size = 3, activation = "relu" },
    { type = "MaxPooling2D" },
    { type = "Flatten" },
    { type = "Dense", units = 8 },
    { type = "BatchNormalization" },
    { type = "Dropout", rate = 0.25 },
    { type = "Dense" },
]
"#;

/// An interruption: after the first line with these words, by this signal.
type Interruption = (&'static str, &'static str);

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("normalized.toml"), NORMALIZED).unwrap();
    place
}

/// Sends a signal to the program as soon as it has printed a line with these words, and waits for its end. `None` if it
/// ended without printing them, because an earlier signal came late.
fn interrupt(command: Command, (words, signal): Interruption) -> Option<Call> {
    let mut running = Running::start(command);
    if running.reaches(|line| line.contains(words)) {
        running.signal(signal);
        return Some(running.end());
    }
    let call = running.end();
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    None
}

/// Asserts that a run with these flags and interruptions gives the same result as an uninterrupted one.
fn goes_on_to_the_same_end(flags: &str, interruptions: &[Interruption]) -> Run {
    let flags = format!("--limit 90 --batch-size 20 --out run {flags}");
    let whole = {
        let place = place();
        let call = place.call(small_run(&flags));
        place.finished(call)
    };
    for (words, _) in interruptions {
        assert!(whole.call.stdout.contains(words), "{flags}: no run prints {words:?}");
    }
    let place = place();
    let mut interrupted = 0;
    for (attempt, &interruption) in interruptions.iter().enumerate() {
        let line =
            if attempt == 0 { small_run(&flags) } else { ["run", "--resume", "run"].map(str::to_owned).to_vec() };
        let Some(call) = interrupt(place.command(line), interruption) else { break };
        match (interruption.1, call.code) {
            ("-INT", Some(130)) | ("-TERM", Some(143)) => {
                assert!(call.stderr.contains("; resume with: "), "{}", call.stderr)
            }
            ("-KILL", None) => {}
            // The signal came too late, as may happen on a busy machine.
            (_, Some(0)) => break,
            _ => panic!("{flags}: {interruption:?}: {:?}, {}{}", call.code, call.stdout, call.stderr),
        }
        assert!(names(&place.path("run")).iter().all(|name| interruption.1 == "-KILL" || !name.ends_with(".partial")));
        interrupted += 1;
    }
    assert!(interrupted > 0, "{flags}: never interrupted");
    let call = place.call(["run", "--resume", "run"]);
    let resumed = place.finished(call);
    assert_same(&whole, &resumed, &flags);
    resumed
}

#[test]
fn batch_normalization_resumes_with_the_same_bits() {
    let stops =
        [(" 2/15", "-INT"), (" 6/15", "-KILL"), ("model_2 learns", "-TERM"), (" 4/15", "-INT"), (" 9/15", "-KILL")];
    goes_on_to_the_same_end("--model normalized.toml --epochs 15", &stops);
    // Frozen up to a layer before a normalization, so that model_2 goes on training it.
    goes_on_to_the_same_end("--model normalized.toml --freeze conv2d_1 --epochs 15", &stops[2..]);
}

#[test]
fn a_schedule_and_augmentation_resume_with_the_same_bits() {
    let stops = [(" 2/15", "-INT"), (" 8/15", "-KILL"), ("model_2 learns", "-TERM"), (" 5/15", "-INT")];
    for schedule in ["one-cycle", "cosine"] {
        goes_on_to_the_same_end(&format!("--schedule {schedule} --augment flip,crop --epochs 15"), &stops);
    }
}

#[test]
fn early_stopping_resumes_with_the_same_bits() {
    let flags = "--early-stopping 3 --epochs 60 --learning-rate 0.02";
    let stops = [
        (" 2/60", "-INT"),
        // Between the last epoch's checkpoint and the weights.
        ("model_1 restored the weights of its best epoch", "-KILL"),
        ("model_2 learns", "-TERM"),
        (" 2/60", "-INT"),
        ("model_2 restored the weights of its best epoch", "-KILL"),
    ];
    let run = goes_on_to_the_same_end(flags, &stops);
    assert!(run.metrics().len() < 3 * 60, "it was stopped early");
}

#[test]
fn a_run_on_features_from_a_file_resumes_with_the_same_bits() {
    let other = place();
    let whole = other.call(small_run("--model normalized.toml --out run"));
    let from = other.finished(whole);
    let file = other.path("features.safetensors");
    fs::write(&file, from.weights()[0]).unwrap();
    let flags = format!(
        "--model normalized.toml --from {} --head warm --schedule cosine --augment crop --early-stopping 5 --epochs 30",
        file.display()
    );
    let flags = format!("--limit 90 --out run {flags}");
    let end = |place: &Place, call: Call| {
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        fs::read(place.path("run/weights-model_2.safetensors")).unwrap()
    };
    let place_1 = place();
    let whole = end(&place_1, place_1.call(small_run(&flags)));
    let place_2 = (0..10).find_map(|_| {
        let place_2 = place();
        let call = interrupt(place_2.command(small_run(&flags)), (" 2/30", "-TERM")).unwrap();
        if call.code == Some(0) {
            // The signal came too late, as may happen on a busy machine.
            assert!(end(&place_2, call) == whole, "the weights differ");
            return None;
        }
        assert_eq!(call.code, Some(143), "{}", call.stderr);
        Some(place_2)
    });
    let place_2 = place_2.expect("the signal came too late, ten times");
    let resumed = end(&place_2, place_2.call(["run", "--resume", "run"]));
    assert!(resumed == whole, "the weights differ");
}

/// A folder of pictures large enough to be interrupted in: copies of two pictures.
fn own_pictures(place: &Place, count: usize) {
    for (class, shade) in [("dark", 30), ("light", 220)] {
        let folder = place.path("pictures").join(class);
        fs::create_dir_all(&folder).unwrap();
        let picture = image::RgbImage::from_pixel(40, 40, image::Rgb([shade; 3]));
        picture.save(folder.join("0.png")).unwrap();
        for copy in 1..count {
            fs::copy(folder.join("0.png"), folder.join(format!("{copy}.png"))).unwrap();
        }
    }
}

#[test]
fn an_adaptation_finishes_its_step_says_so_and_leaves_no_model() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let place = Place::new();
        own_pictures(&place, 40);
        let line = ["adapt", "pictures", "--head", "dense", "--out", "run", "--epochs", "100000"];
        let call = interrupt(place.command(line), ("1/100000 ", signal)).unwrap();
        assert_eq!(call.code, Some(code), "{}", call.stderr);
        let words = "error: interrupted in epoch ";
        assert!(call.stderr.starts_with(words) && call.stderr.lines().count() == 1, "{}", call.stderr);
        assert!(call.stderr.contains("; run holds the metrics so far, but no model"), "{}", call.stderr);
        let files = names(&place.path("run"));
        assert_eq!(files, ["config.toml", "environment.json", "metrics.csv", "metrics.jsonl"]);
        let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
        assert!(metrics.lines().count() >= 2 && metrics.ends_with('\n'), "{metrics}");
    }
}

#[test]
fn an_adaptation_interrupted_while_reading_leaves_no_files() {
    let place = Place::new();
    own_pictures(&place, 3000);
    // How long it takes until the program listens for signals and begins to read depends on the machine.
    let interrupted = [60, 30, 15, 120, 240, 480].into_iter().any(|milliseconds| {
        let running = Running::start(place.command(["adapt", "pictures", "--out", "run"]));
        thread::sleep(Duration::from_millis(milliseconds));
        running.signal("-INT");
        let call = running.end();
        if !call.stderr.contains("while reading") {
            // The signal came too early or too late.
            let _ = fs::remove_dir_all(place.path("run"));
            return false;
        }
        assert_eq!(call.code, Some(130), "{}", call.stderr);
        assert_eq!(place.names(), ["pictures"], "{}", call.stderr);
        true
    });
    assert!(interrupted, "no signal came while the pictures were read");
}
