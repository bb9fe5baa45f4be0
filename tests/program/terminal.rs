//! Hostile and long names on the terminal.

use std::fs;

use thawline::{
    models::{Architecture, TutorialNetwork},
    weights::metadata::{self, Metadata},
};

use crate::invocation::{Call, Place, archive};

/// As the name of a folder, file, flag or key, it would clear the screen, reverse the text and forge a line.
#[cfg(unix)]
const HOSTILE: &str = "x\nerror: forged\u{1b}[2J\u{9b}31m\u{202e}\r";

/// Asserts that the output has no control characters and no forged line.
fn assert_printable(call: &Call, line: &[&str]) {
    let text = call.stdout.clone() + &call.stderr;
    let hidden = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!text.contains(hidden), "{line:?}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{line:?}: {text:?}");
    if call.code == Some(2) {
        let own = |line: &str| line.starts_with("error: ") || line.starts_with("skipped ");
        assert!(call.stderr.lines().all(own), "{line:?}: {}", call.stderr);
    }
}

#[test]
#[cfg(unix)]
fn names_cannot_move_the_cursor_or_forge_a_line() {
    let place = Place::new();
    let at = |name: &str| format!("{HOSTILE}/{name}");
    fs::create_dir(place.path(HOSTILE)).unwrap();
    let [data, model, text, picture, pictures, run, sweep, new] =
        ["data.tar.gz", "model", "text", "p.png", "pictures", "run", "sweep", "new"].map(at);
    fs::copy(archive(), place.path(&data)).unwrap();
    fs::write(place.path(&text), format!("{:?} = 1", HOSTILE.replace(['\u{9b}', '\u{202e}'], ""))).unwrap();
    for class in ["a", "b"] {
        let folder = place.path(&pictures).join(class);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(HOSTILE.replace('/', "")), "not a picture").unwrap();
        for number in 0..3 {
            image::RgbImage::from_pixel(9, 9, image::Rgb([80 * number; 3]))
                .save(folder.join(format!("{number}.png")))
                .unwrap();
        }
    }
    fs::copy(place.path(&pictures).join("a/0.png"), place.path(&picture)).unwrap();
    let small = ["--filters", "2", "--dense", "2", "--epochs", "1", "--threads", "1"];
    let run_flags = |flags: &[&'static str]| [&["--data", &data][..], flags, &small].concat().join("\0");
    let lines: [(&[&str], &str, i32); 37] = [
        (&["data", "info", &data], "", 0),
        (&["data", "verify", &data], "", 0),
        (&["data", "info", "--json", &data], "", 0),
        (&["data", "verify", "--json", &data], "", 0),
        (&["info", "--json"], "", 0),
        (&["summary", "--json"], "", 0),
        (&["data", "samples", &data, "--out", &at("samples.png")], "", 0),
        (&["data", "synth", &at("synth.tar.gz"), "--train", "50", "--test", "10"], "", 0),
        (&["data", "info", HOSTILE, HOSTILE], "", 2),
        (&["data", "info", &text], "", 2),
        (&["run", "--out", &run, "--limit", "20"], &run_flags(&[]), 0),
        (&["run", "--resume", &run], "", 0),
        (&["run", "--resume", &text], "", 2),
        (&["run", "--out", &run], &run_flags(&[]), 2),
        (&["run", "--config", &text], "", 2),
        (&["run", "--data", &data, "--model", &text], "", 2),
        (&["run", "--source", HOSTILE], &run_flags(&[]), 2),
        (&["run", "--freeze", HOSTILE], &run_flags(&[]), 2),
        (&["run", "--epochs", HOSTILE], "", 2),
        (&["run", "--from", &text], &run_flags(&[]), 2),
        (&[HOSTILE], "", 2),
        (&[&format!("--{HOSTILE}")], "", 2),
        (&["summary", "--model", &text], "", 2),
        (&["summary", "--freeze", HOSTILE], "", 2),
        (&["adapt", &pictures, "--out", &model], "", 0),
        (&["adapt", &pictures, "--strict"], "", 2),
        (&["adapt", &text], "", 2),
        (&["predict", "--from", &model, "--top", "2", &picture], "", 0),
        (&["predict", "--from", &model, "--format", "csv", &picture], "", 0),
        (&["predict", "--from", &model, "--format", "json", &picture, &text], "", 2),
        (&["eval", "--from", &at("run/weights-model_1.safetensors"), "--data", &data], "", 0),
        (&["eval", "--json", "--from", &at("run/weights-model_1.safetensors"), "--data", &data], "", 0),
        (&["features", &at("run/weights-model_1.safetensors"), "--out", &new], "", 0),
        (&["export", "--format", "torch", "--from", &model, "--out", &at("t")], "", 0),
        (&["import", &at("t"), "--like", &model, "--out", &at("m")], "", 0),
        (&["sweep", "--arms", "pixels", "--seeds", "0", "--out", &sweep], &run_flags(&[]), 0),
        (&["report", &sweep], "", 0),
    ];
    for (line, more, code) in lines {
        let line: Vec<&str> = line.iter().copied().chain(more.split('\0').filter(|word| !word.is_empty())).collect();
        let call = place.call(&line);
        assert_printable(&call, &line);
        assert_eq!(call.code, Some(code), "{line:?}: {}", call.stderr);
    }
    let skipped = fs::read_to_string(place.path(&model).join("pictures.csv")).unwrap();
    assert!(skipped.lines().count() == 9 && !skipped.contains('\x1b'), "{skipped:?}");
}

#[test]
fn long_names_are_cut_and_csv_cells_are_not_formulas() {
    let place = Place::new();
    let architecture = Architecture::from(TutorialNetwork { filters: [2, 2], dense: 2, ..TutorialNetwork::default() });
    let network = architecture.build(5, 0).unwrap();
    for (file, length) in [("model", 200), ("endless", 66_000)] {
        let long = "a".repeat(length);
        let classes = [&long, "=1+1", "b", "c", "d"].map(str::to_owned).to_vec();
        let metadata = Metadata::new("model_1", 0, classes, &architecture, &network);
        fs::write(place.path(file), metadata::to_safetensors(&network, &metadata).unwrap()).unwrap();
        let layers = format!(
            r#"layers = [{{ type = "Conv2D", filters = 1, kernel_size = 3, name = "{long}" }},
            {{ type = "Flatten" }}, {{ type = "Dense" }}]"#
        );
        fs::write(place.path(&format!("{file}.toml")), layers).unwrap();
    }
    image::RgbImage::from_pixel(9, 9, image::Rgb([80; 3])).save(place.path("p.png")).unwrap();
    let data = archive().to_str().unwrap();
    let run = ["run", "--data", data, "--epochs", "1", "--limit", "20", "--threads", "1"];
    for (line, code, words) in [
        (&["predict", "--from", "endless", "p.png"][..], 2, "is longer than 255 bytes"),
        (&["summary", "--model", "endless.toml"], 2, "longer than 255 bytes"),
        (&["predict", "--from", "model", "--top", "5", "p.png"], 0, "aaa... "),
        (&["predict", "--from", "model", "--top", "5", "--format", "csv", "p.png"], 0, ",'=1+1,"),
        (&["eval", "--from", "model", "--data", data], 2, "aaa..., =1+1"),
        (&["eval", "--from", "model", "--data", data, "--classes", "0-4"], 0, "fish"),
        (&["summary", "--model", "model.toml"], 0, "aaa... "),
        (&[&run[..], &["--model", "model.toml", "--out", "run"]].concat(), 0, "aaa... "),
        (&[&run[..], &["--from", "run/weights-model_1.safetensors", "--out", "run2"]].concat(), 0, "aaa... "),
    ] {
        let call = place.call(line);
        assert_eq!(call.code, Some(code), "{line:?}: {}", call.stderr);
        let longest = |text: &str| text.lines().map(str::len).max().unwrap_or(0);
        let told = longest(&call.stderr);
        let lines = if line.contains(&"csv") { 0 } else { longest(&call.stdout) };
        let shown = call.stdout + &call.stderr;
        assert!(shown.contains(words), "{line:?}: {words}: {shown:.1000}");
        assert!(lines < 300 && told < 1000, "{line:?}: {shown:.1000}");
    }
}
