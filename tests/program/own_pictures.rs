//! `adapt` and `predict` on a user's own pictures.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use crate::invocation::{Call, Place, names};

/// A picture of one colour, slightly different for each number.
fn write(path: &Path, [red, green, blue]: [u8; 3], number: u8) {
    let picture = RgbImage::from_fn(20, 24, |x, y| Rgb([red, green, (blue ^ (x * y) as u8).wrapping_add(number)]));
    picture.save_with_format(path, ImageFormat::from_path(path).unwrap()).unwrap();
}

/// Ten dark and ten light pictures in class folders, in all formats.
pub fn folder(place: &Place) -> PathBuf {
    let folder = place.path("pictures");
    for (class, color) in [("dark", [20, 30, 40]), ("light", [220, 230, 200])] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for number in 0..10 {
            let extension = ["png", "jpg", "webp", "bmp", "gif"][usize::from(number) % 5];
            write(&folder.join(class).join(format!("{number}.{extension}")), color, number);
        }
    }
    folder
}

pub fn adapt(place: &Place, flags: &str) -> Call {
    place.call(["adapt", "pictures"].into_iter().chain(flags.split_whitespace()))
}

/// A model of [`folder`]'s classes in the folder `run`.
fn adapted() -> Place {
    let place = Place::new();
    folder(&place);
    let call = adapt(&place, "--out run");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    place
}

fn summary(place: &Place) -> Value {
    serde_json::from_slice(&fs::read(place.path("run/summary.json")).unwrap()).unwrap()
}

#[test]
fn a_folder_of_class_folders_becomes_a_classifier() {
    let place = adapted();
    assert_eq!(
        names(&place.path("run")),
        ["config.toml", "environment.json", "model.safetensors", "pictures.csv", "report.html", "summary.json"]
    );
    let summary = summary(&place);
    assert_eq!(
        summary["classes"][0],
        serde_json::json!({"name": "dark", "training": 10, "validation": 0, "test": 0, "skipped": 0})
    );
    assert_eq!(summary["frozen_unchanged"], true);
    assert_eq!(summary["cross_validation"]["folds"], 5);
    assert_eq!(summary["model"]["confusion"]["counts"], serde_json::json!([[10, 0], [0, 10]]));
    assert_eq!(summary["held_out"]["largest_class"], 0.5);
    assert_eq!(summary["features"]["classes"].as_array().unwrap().len(), 8);
    let report = fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(report.contains("Telling dark and light apart") && report.contains("None: "));

    let call = place.call(["predict", "--from", "run", "pictures/light/0.png", "pictures/dark/1.jpg"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
    let words: Vec<Vec<&str>> = call.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!([words[0][0], words[0][3]], ["light", "pictures/light/0.png"]);
    assert_eq!([words[1][0], words[1][3]], ["dark", "pictures/dark/1.jpg"]);
}

#[test]
fn a_dense_head_is_trained_in_epochs() {
    let place = Place::new();
    folder(&place);
    let call = adapt(&place, "--head dense --epochs 3 --batch-size 8 --balanced --augment flip --out run");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(names(&place.path("run")).contains(&"metrics.csv".to_owned()));
    let summary = summary(&place);
    assert_eq!(summary["classes"][1]["validation"], 2);
    assert_eq!(summary["model"]["confusion"]["counts"], serde_json::json!([[2, 0], [0, 2]]));
    assert_eq!(summary["model"]["history"].as_array().unwrap().len(), 3);
}

#[test]
fn test_pictures_are_only_scored_and_copies_are_named() {
    let place = Place::new();
    let folder = folder(&place);
    for (part, class) in [("train", "dark"), ("train", "light"), ("test", "light")] {
        fs::create_dir_all(place.path("parts").join(part).join(class)).unwrap();
    }
    for class in ["dark", "light"] {
        for file in ["0.png", "1.jpg", "2.webp", "5.png"] {
            fs::copy(folder.join(class).join(file), place.path("parts/train").join(class).join(file)).unwrap();
        }
    }
    fs::copy(folder.join("light/7.webp"), place.path("parts/test/light/a.webp")).unwrap();
    fs::copy(folder.join("light/0.png"), place.path("parts/test/light/b.png")).unwrap();
    fs::copy(folder.join("dark/0.png"), place.path("parts/train/light/wrong.png")).unwrap();
    let call = place.call(["adapt", "parts", "--augment", "flip,crop", "--balanced", "--out", "run"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("\naccuracy 100.00 % on 2 test pictures\n"), "{}", call.stdout);
    let named = ["one picture in two classes: ", "the same picture: ", "tested on parts/test"];
    assert!(named.iter().all(|words| call.stdout.contains(words)), "{}", call.stdout);
    let summary = summary(&place);
    assert_eq!(summary["test"]["confusion"]["counts"], serde_json::json!([[0, 0], [0, 2]]));
    assert_eq!(summary["test"]["scores"]["classes"][0]["recall"], Value::Null);
    let report = fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(report.contains("One of the labels must be wrong.") && report.contains("inflates the accuracy"));
    let csv = fs::read_to_string(place.path("run/pictures.csv")).unwrap();
    let copy = "parts/test/light/b.png,light,test,light,";
    assert!(csv.lines().any(|line| line.starts_with(copy) && line.contains(",parts/train/light/0.png,")), "{csv}");
    // The same folders, named one by one.
    let call =
        place.call(["adapt", "parts/train", "--test", "parts/test", "--quiet", "--augment", "flip,crop", "--balanced"]);
    assert!(call.stdout.starts_with("accuracy 100.00 % on 2 test pictures\n"), "{}", call.stdout);
}

#[test]
fn the_same_pictures_and_seed_give_the_same_model() {
    let place = Place::new();
    folder(&place);
    let model = |flags: &str| {
        let call = adapt(&place, flags);
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        let out = flags.split_whitespace().last().unwrap();
        ["model.safetensors", "pictures.csv"].map(|name| fs::read(place.path(out).join(name)).unwrap())
    };
    let first = model("--threads 1 --out a");
    assert_eq!(model("--threads 2 --out b"), first);
    assert_ne!(model("--seed 2 --out c"), first);
}

#[test]
fn mistakes_are_shown_with_their_pictures() {
    let place = Place::new();
    let folder = folder(&place);
    // A dark picture in the folder of light ones must be classified as dark, since it is held out.
    write(&folder.join("light/mislabelled.png"), [20, 30, 40], 10);
    let call = adapt(&place, "--out run");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let csv = fs::read_to_string(place.path("run/pictures.csv")).unwrap();
    let wrong: Vec<&str> = csv.lines().filter(|line| line.contains(",light,training,dark,")).collect();
    assert!(wrong.iter().any(|line| line.starts_with("pictures/light/mislabelled.png,")), "{csv}");
    let report = fs::read_to_string(place.path("run/report.html")).unwrap();
    for line in wrong {
        let file = line.split(',').next().unwrap();
        assert!(report.contains(&format!("title=\"{file}\"")), "{file}");
    }
    assert!(report.contains("title=\"what supports dark\""), "no map under the mistakes");
}

#[test]
fn predictions_are_explained_on_a_page() {
    let place = adapted();
    fs::write(place.path("broken.jpg"), "no picture").unwrap();
    let explain = |flags: &str| place.call(["predict", "--from", "run"].into_iter().chain(flags.split(' ')));
    let call = explain("pictures/light/0.png pictures/dark/1.jpg broken.jpg --explain page.html");
    assert_eq!((call.code, call.stdout.lines().count()), (Some(2), 2), "{}", call.stderr);
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.contains(">pictures/dark/1.jpg</h3>") && page.contains("what supports dark"), "{page}");
    for foreign in ["<script", "<link", "@import", "src=\"http", "url(", "broken.jpg"] {
        assert!(!page.contains(foreign), "the page contains {foreign}");
    }
    explain("pictures/light/0.png --explain page.html").assert_refused("page.html: already exists");
    assert_eq!(explain("pictures/light/5.png --explain page.html --force").code, Some(0));

    // A dense head has no map, and the page says so.
    let call = adapt(&place, "--head dense --epochs 1 --out dense");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let call = place.call(["predict", "--from", "dense", "pictures/dark/0.png", "--explain", "dense.html"]);
    assert_eq!(call.code, Some(0));
    assert!(
        call.stderr.contains("the model's head is not linear") && call.stderr.lines().count() == 1,
        "{}",
        call.stderr
    );
    let page = fs::read_to_string(place.path("dense.html")).unwrap();
    assert!(page.contains("There is no map") && !page.contains("what supports"), "{page}");
}

#[test]
fn pictures_that_cannot_be_read_are_listed_and_skipped_or_stop_the_run() {
    let place = Place::new();
    let folder = folder(&place);
    fs::write(folder.join("dark/notes.txt"), "not a picture").unwrap();
    fs::write(folder.join("light/.hidden"), "not a picture").unwrap();
    fs::write(folder.join("readme.md"), "stray").unwrap();
    let call = adapt(&place, "--strict --out run");
    assert_eq!(call.code, Some(2));
    let words = format!(
        "--strict: 1 of 21 files cannot be read; the first: {}",
        Path::new("pictures/dark/notes.txt").display()
    );
    assert!(call.stderr.starts_with(&format!("error: {words}: is not a PNG, JPEG")), "{}", call.stderr);
    assert!(!place.path("run").exists());

    let call = adapt(&place, "--out run");
    assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
    assert!(call.stdout.contains("skipped   pictures/dark/notes.txt: is not a PNG"), "{}", call.stdout);
    assert!(call.stdout.contains("1 file outside the class folders ignored"), "{}", call.stdout);
    let csv = fs::read_to_string(place.path("run/pictures.csv")).unwrap();
    assert!(csv.contains("pictures/dark/notes.txt,dark,skipped,,,,\"is not a PNG"), "{csv}");
    assert_eq!(summary(&place)["classes"][0]["skipped"], 1);
}

#[test]
fn predictions_are_printed_as_table_csv_or_json() {
    let place = adapted();
    let predict = |flags: &[&str]| {
        let pictures = ["pictures/dark/0.png", "pictures/light/3.bmp"];
        place.call([&["predict", "--from", "run/model.safetensors"], flags, &pictures].concat())
    };
    let csv = predict(&["--format", "csv", "--top", "5"]).stdout;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["picture", "rank", "class", "probability"]);
    assert_eq!(rows[1][..3], ["pictures/dark/0.png", "1", "dark"]);
    assert_eq!(rows[2][..3], ["pictures/dark/0.png", "2", "light"]);
    assert_eq!(rows.len(), 5, "the model has only two classes: {csv}");
    let sum: f64 = rows[1..3].iter().map(|row| row[3].parse::<f64>().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{csv}");

    let json = predict(&["--format", "json"]).stdout;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["picture"], "pictures/light/3.bmp");
    assert_eq!(lines[1]["guesses"].as_array().unwrap().len(), 1);
    assert_eq!(lines[1]["guesses"][0]["class"], "light");
    assert!(lines[1]["guesses"][0]["probability"].as_f64().unwrap() > 0.5);

    let table = predict(&["--top", "2"]).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 6 && lines.iter().step_by(3).all(|line| line.starts_with("pictures/")), "{table}");
    assert!(lines.iter().filter(|line| line.starts_with("  ") && line.ends_with(" %")).count() == 4, "{table}");
}

#[test]
fn predict_reads_paths_from_standard_input() {
    let place = adapted();
    let call = predict_from_stdin(&place, "csv", b"pictures/dark/0.png\n\nnowhere.png\r\npictures/light/0.png");
    assert_eq!(call.code, Some(2));
    assert_eq!(call.stderr, "skipped nowhere.png: no such file\nerror: 1 of 3 pictures could not be read\n");
    let pictures: Vec<&str> = call.stdout.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(pictures, ["picture", "pictures/dark/0.png", "pictures/light/0.png"]);
    // A path that never ends is not read to its end.
    let endless = [&b"pictures/dark/0.png\npictures/light/0.png\n"[..], &[b'x'; 100_000]].concat();
    let call = predict_from_stdin(&place, "csv", &endless);
    assert_eq!((call.code, call.stdout.lines().count()), (Some(2), 3));
    assert!(call.stderr.starts_with("standard input: a path has more than 4096 bytes; expected "), "{}", call.stderr);
    assert!(call.stderr.ends_with("\nerror: 1 of 3 pictures could not be read\n"), "{}", call.stderr);
}

#[test]
fn predict_and_eval_take_folders_of_pictures() {
    let place = adapted();
    fs::write(place.path("pictures/dark/notes.txt"), "not a picture").unwrap();
    let call = place.call(["predict", "--from", "run", "--format", "csv", "pictures"]);
    assert_eq!((call.code, call.stdout.lines().count()), (Some(2), 21), "{}", call.stderr);
    assert!(call.stderr.starts_with("skipped pictures/dark/notes.txt: "), "{}", call.stderr);
    fs::create_dir(place.path("empty")).unwrap();
    let call = place.call(["predict", "--from", "run", "pictures/dark/0.png", "empty", "pictures/light/0.png"]);
    assert_eq!((call.code, call.stdout.lines().count()), (Some(2), 2), "{}", call.stdout);
    let words = "empty: contains no files; expected pictures in it\nerror: 1 of 3 pictures could not be read\n";
    assert_eq!(call.stderr, words);
    for line in ["features --of pictures --out", "predict --from run pictures --explain"] {
        let line = format!("{line} pictures/dark/0.png --force");
        place.call(line.split(' ')).assert_refused("is this command's input");
    }

    let call = place.call(["eval", "--from", "run", "--data", "pictures"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("accuracy 100.00 % on 20 test pictures"), "{}", call.stdout);
    assert!(call.stdout.contains("always naming the largest class: 50.0 %"), "{}", call.stdout);
    let call = place.call(["eval", "--from", "run", "--data", "pictures", "--json"]);
    let scores: Value = serde_json::from_str(&call.stdout).unwrap();
    assert_eq!(scores["scores"]["classes"][1]["precision"], 1.0);
    assert_eq!(scores["data"]["kind"], "own pictures");
    place.call(["eval", "--from", "run", "--data", "pictures", "--limit", "3"]).assert_refused("are for data sets");
}

fn predict_from_stdin(place: &Place, format: &str, paths: &[u8]) -> Call {
    let mut command = place.command(["predict", "--from", "run", "--format", format, "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may stop reading before the end.
    let _ = child.stdin.take().unwrap().write_all(paths);
    child.wait_with_output().unwrap().into()
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_stay_distinct() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let place = adapted();
    let names = [&b"caf\xe9.png"[..], b"caf\xe8.png", b"a\nb.png", br"a\nb.png"];
    for name in names {
        fs::copy(place.path("pictures/dark/0.png"), place.path("").join(OsStr::from_bytes(name))).unwrap();
    }
    let line = |name: &[u8]| [name, b"\0"].concat();
    let paths = names.map(line).concat();
    for (format, expected) in [
        ("json", [r"$'caf\\xe9.png'", r"$'caf\\xe8.png'", r"a\nb.png", r"a\\nb.png"]),
        ("csv", [r"$'caf\xe9.png'", r"$'caf\xe8.png'", r"$'a\x0ab.png'", r"a\nb.png"]),
        ("table", [r"$'caf\xe9.png'", r"$'caf\xe8.png'", r"$'a\x0ab.png'", r"a\nb.png"]),
    ] {
        let call = predict_from_stdin(&place, format, &paths);
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        for (line, expected) in call.stdout.lines().skip(usize::from(format == "csv")).zip(expected) {
            assert!(line.contains(expected), "{format}: {line}");
        }
    }
}

#[test]
fn system_files_and_output_folders_are_ignored() {
    let place = Place::new();
    let folder = folder(&place);
    for left in ["__MACOSX", "lost+found", "__pycache__", "dark/@eaDir"] {
        fs::create_dir(folder.join(left)).unwrap();
    }
    for left in ["__MACOSX/._dark", "dark/Thumbs.db", "light/desktop.ini"] {
        fs::write(folder.join(left), "x").unwrap();
    }
    // The second and third runs find the earlier run folders among the pictures.
    for out in [&[][..], &["--out", "mine"], &["--out", "last"]] {
        let mut command = place.command([&["adapt", ".", "--strict"], out].concat());
        let call = Call::from(command.current_dir(&folder).output().unwrap());
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        let outputs = ["./runs ignored: this program's own output", "./mine ignored: "];
        let found = outputs.map(|output| call.stdout.contains(output));
        assert_eq!(found, [!out.is_empty(), out.contains(&"last")], "{}", call.stdout);
    }
}

#[test]
fn user_errors_are_one_line_and_write_nothing() {
    let place = Place::new();
    let folder = folder(&place);
    fs::create_dir_all(place.path("few/cat")).unwrap();
    fs::create_dir_all(place.path("few/dog")).unwrap();
    for name in ["cat/1.png", "cat/2.png", "dog/1.png"] {
        fs::copy(folder.join("dark/0.png"), place.path("few").join(name)).unwrap();
    }
    fs::write(place.path("few/dog/2.png"), "not a picture").unwrap();
    for class in ["dark", "light"] {
        fs::create_dir_all(place.path("same").join(class)).unwrap();
        fs::create_dir_all(place.path("untested").join(class)).unwrap();
        fs::write(place.path("untested").join(class).join("0.png"), "not a picture").unwrap();
        for number in 0..3 {
            fs::copy(folder.join("dark/0.png"), place.path("same").join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    for (line, words) in [
        ("adapt", "<FOLDER>"),
        ("adapt nowhere", "nowhere: no such folder; expected one folder of pictures per class"),
        ("adapt pictures/dark/0.png", "is a file; expected one folder of pictures per class"),
        ("adapt pictures/dark", "has no folders and 10 files"),
        ("adapt few", "few: class dog has 1 readable training picture; expected at least 2"),
        ("adapt pictures --validation 1", "'--validation <FRACTION>': expected a fraction between 0 and 1"),
        ("adapt pictures --validation -0.5", "expected a fraction between 0 and 1"),
        ("adapt pictures --from nowhere", "--from: nowhere: no such file"),
        ("adapt pictures --from pictures/dark/0.png", "--from: pictures/dark/0.png: "),
        ("adapt pictures --epochs 3", "--epochs needs --head dense"),
        ("adapt pictures --test nowhere", "nowhere: no such folder; expected one folder of pictures per class"),
        ("adapt pictures --test few", "few: class \"cat\" is not one of dark, light"),
        ("adapt pictures --epochs 0", "'--epochs <N>': expected a whole number, at least 1"),
        ("adapt pictures --out pictures", "pictures is not empty"),
        ("predict pictures/dark/0.png", "--from <MODEL>"),
        ("predict --from pictures pictures/dark/0.png", "--from: pictures: is a folder; expected a safetensors file"),
        ("predict --from nowhere x.png", "--from: nowhere: no such file"),
        ("predict --from nowhere", "<PICTURE>"),
        ("features nowhere", "nowhere: no such file"),
        ("adapt same", "same: all training pictures are identical once scaled"),
        ("adapt pictures --test untested", "untested: has no readable pictures to test on"),
        ("adapt pictures --out pictures/dark/0.png/run", "pictures/dark/0.png is a file, not a folder"),
    ] {
        let call = place.call(line.split_whitespace());
        call.assert_failed(2, words);
        assert_eq!(place.names(), ["few", "pictures", "same", "untested"], "{line}");
    }
}

#[test]
fn with_json_standard_output_is_only_json_and_quiet_prints_only_the_end() {
    let place = Place::new();
    folder(&place);
    let call = adapt(&place, "--json --out run");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let printed: Value = serde_json::from_str(&call.stdout).unwrap();
    assert_eq!(printed, summary(&place));
    let call = adapt(&place, "--quiet --out quiet");
    assert!(call.stdout.starts_with("accuracy 100.00 % by 5-fold cross-validation of 20 pictures"), "{}", call.stdout);
}
