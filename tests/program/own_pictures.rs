//! `adapt` on a user's own pictures.

use std::{
    fs,
    path::{Path, PathBuf},
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
pub fn adapted(flags: &str) -> Place {
    let place = Place::new();
    folder(&place);
    let call = adapt(&place, &format!("--out run {flags}"));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    place
}

#[test]
fn a_folder_of_class_folders_becomes_a_classifier() {
    let place = adapted("");
    assert_eq!(
        names(&place.path("run")),
        ["config.toml", "environment.json", "model.safetensors", "pictures.csv", "report.html", "summary.json"]
    );
    let summary = place.summary("run");
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
    let summary = place.summary("run");
    assert_eq!(summary["classes"][1]["validation"], 2);
    assert_eq!(summary["model"]["confusion"]["counts"], serde_json::json!([[2, 0], [0, 2]]));
    assert_eq!(summary["model"]["history"].as_array().unwrap().len(), 3);
}

#[test]
fn every_flag_of_the_training_changes_the_model() {
    let place = Place::new();
    // Classes of different sizes, or --balanced changes nothing.
    fs::remove_file(folder(&place).join("dark/9.gif")).unwrap();
    let model = |flags: &str| {
        let call = adapt(&place, &format!("{flags} --size 16 --out run --quiet"));
        assert_eq!(call.code, Some(0), "{flags}: {}", call.stderr);
        let model = fs::read(place.path("run/model.safetensors")).unwrap();
        fs::remove_dir_all(place.path("run")).unwrap();
        model
    };
    let linear = ["--balanced", "--augment flip", "--augment crop"];
    let dense = [&linear[..], &["--epochs 2", "--batch-size 4", "--learning-rate 0.01", "--validation 0.4"]].concat();
    for (head, flags) in [("--head linear", &linear[..]), ("--head dense", &dense)] {
        let plain = model(head);
        for flag in flags {
            assert!(model(&format!("{head} {flag}")) != plain, "{head}: {flag} changes nothing");
        }
    }
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
    let summary = place.summary("run");
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
    assert_eq!(place.summary("run")["classes"][0]["skipped"], 1);
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
    // Many pictures take minutes to read, so this is found before.
    place.call(["adapt", "pictures", "--out", "pictures"]).assert_refused("pictures is not empty");
}

#[test]
fn with_json_standard_output_is_only_json_and_quiet_prints_only_the_end() {
    let place = Place::new();
    folder(&place);
    let call = adapt(&place, "--json --out run");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let printed: Value = serde_json::from_str(&call.stdout).unwrap();
    assert_eq!(printed, place.summary("run"));
    place
        .call(["run", "--resume", "run"])
        .assert_refused("run/config.toml: belongs to `thawline adapt`, which cannot be");
    let call = adapt(&place, "--quiet --out quiet");
    assert!(call.stdout.starts_with("accuracy 100.00 % by 5-fold cross-validation of 20 pictures"), "{}", call.stdout);
}
