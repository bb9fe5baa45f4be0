//! `predict`, and `eval`, on a user's own pictures.

use std::{
    fs,
    io::{ErrorKind, Write},
    process::Stdio,
};

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::{
    invocation::{Call, Place, archive},
    own_pictures::{adapt, adapted},
};

#[test]
fn predictions_are_printed_as_table_csv_or_json() {
    let place = adapted("");
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
    let place = adapted("");
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
    // `find` without a match prints nothing.
    let call = predict_from_stdin(&place, "table", b"\n");
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.starts_with("standard input: contains no paths; expected "), "{}", call.stderr);
}

#[test]
fn predict_and_eval_take_folders_of_pictures() {
    let place = adapted("");
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

#[test]
fn eval_scores_the_validation_folder_in_the_order_of_the_models_classes() {
    let place = Place::new();
    // The classes are not in the order of their folders.
    let run = place.run("--source 3,0 --epochs 4");
    let data = thawline_cifar::Dataset::open(archive()).unwrap();
    for (part, images) in [("train", data.train()), ("val", data.test())] {
        for (number, image) in images.iter().enumerate().filter(|(_, image)| [3, 0].contains(&image.label)) {
            let folder = place.path("mine").join(part).join(&data.classes()[usize::from(image.label)]);
            fs::create_dir_all(&folder).unwrap();
            let picture = RgbImage::from_fn(32, 32, |x, y| {
                Rgb([0, 1, 2].map(|channel| image.pixels[(channel * 1024 + y * 32 + x) as usize]))
            });
            picture.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
    let scores = |data: &str| -> Value {
        let call = place.call(["eval", "--from", "run/weights-model_1.safetensors", "--json", "--data", data]);
        serde_json::from_str(&call.stdout).unwrap_or_else(|_| panic!("{}", call.stderr))
    };
    let [own, set] = ["mine", archive().to_str().unwrap()].map(scores);
    assert_eq!([&own["confusion"], &own["examples"]], [&set["confusion"], &set["examples"]]);
    assert_eq!(set["confusion"], run.summary()["model_1"]["confusion"]);
    let counts = &set["confusion"]["counts"];
    assert_ne!(counts[0], counts[1], "exchanged labels would be noticed");
}

#[test]
fn predict_works_in_blocks_and_explains_the_first_hundred() {
    // Small pictures, because each explanation takes many passes through the network.
    let place = adapted("--size 12");
    // The last folder is one level too deep.
    fs::create_dir_all(place.path("many/a/b/c/d/e")).unwrap();
    let names: Vec<String> =
        (0..129).map(|number| format!("{number:03}.png")).chain(["a/b/c/d/x.png".to_owned()]).collect();
    let class = |number: usize| ["light", "dark", "dark"][number % 3];
    let copy = |number: usize, name: &str| {
        let picture = place.path("pictures").join(class(number)).join("0.png");
        fs::copy(picture, place.path("many").join(name)).unwrap();
    };
    names.iter().enumerate().for_each(|(number, name)| copy(number, name));
    copy(0, "a/b/c/d/e/y.png");
    let call = place.call("predict --from run --format csv many --explain page.html".split(' '));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let rows = call.stdout.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().0);
    let expected = names.iter().enumerate().map(|(number, name)| format!("many/{name},1,{}", class(number)));
    assert!(rows.eq(expected), "{}", call.stdout);
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.contains("The first 100 of 130 pictures."));
    assert!(page.matches("</h3>").count() == 100 && page.contains("many/099.png</h3>"));
}

#[test]
fn predictions_are_explained_on_a_page() {
    let place = adapted("");
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

fn predict_from_stdin(place: &Place, format: &str, paths: &[u8]) -> Call {
    let mut command = place.command(["predict", "--from", "run", "--format", format, "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may stop reading before the end.
    let written = child.stdin.take().unwrap().write_all(paths);
    assert!(written.is_ok() || written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe));
    child.wait_with_output().unwrap().into()
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_stay_distinct() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let place = adapted("");
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
