//! Trained features: from a file for a new head (`run --from`), and to a file for other programs (`features`).

use std::{fs, path::Path};

use safetensors::{
    SafeTensors,
    tensor::{Dtype, TensorView},
};
use serde_json::Value;

use crate::{
    invocation::{Call, Place, Run, archive, names},
    own_pictures::{adapt, folder},
    transfer::tensor,
};

/// A folder with a finished run, `run`.
fn trained() -> (Place, Run) {
    let place = Place::new();
    let run = place.run("");
    (place, run)
}

/// Trains a new head on a file's features.
fn from(place: &Place, file: &str, flags: &str) -> Call {
    let line = format!("run --epochs 1 --batch-size 32 --limit 64 --out new --from {file} {flags}");
    place.call(line.split_whitespace().chain(["--data", archive().to_str().unwrap()]))
}

const FILE: &str = "run/weights-model_1.safetensors";

#[test]
fn the_files_features_are_frozen_and_a_new_head_is_trained() {
    let (place, run) = trained();
    let call = from(&place, FILE, "");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let files = names(&place.path("new"));
    assert!(files.contains(&"weights-model_2.safetensors".to_owned()), "{files:?}");
    assert!(!files.contains(&"weights-model_1.safetensors".to_owned()), "there is no model_1: {files:?}");
    // Only the features come from the file, so this run and the one that trained model_1 give the same model_2.
    let model_2 = fs::read(place.path("new/weights-model_2.safetensors")).unwrap();
    for name in ["conv2d_1/kernel", "conv2d_2/bias"] {
        assert_eq!(tensor(&model_2, name), tensor(run.weights()[0], name), "{name}");
    }
    assert!(model_2 == run.weights()[1], "the same features, seed and classes give the same model_2");

    let summary = place.summary("new");
    assert!(summary.get("model_1").is_none() && summary.get("source").is_none());
    assert_eq!(summary["from"]["path"], FILE);
    assert_eq!(summary["from"]["classes"][0], "fish");
    assert_eq!(summary["frozen_unchanged"], true);
    let sha256 = summary["from"]["sha256"].as_str().unwrap();
    assert_eq!(summary["config"]["from-sha256"], sha256);
    let report = fs::read_to_string(place.path("new/report.html")).unwrap();
    assert!(report.contains(sha256) && report.contains(FILE), "the report says where the features come from");
    assert!(!place.path("new/pictures/source.png").exists());

    let line = |name: &str| call.stdout.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("conv2d_2/kernel").ends_with("loaded, frozen"), "{}", call.stdout);
    assert!(line("dense_1/kernel").ends_with("new"), "{}", call.stdout);
    assert!(call.stdout.contains("a fresh head on the file's features") && call.stdout.contains(sha256));
    assert!(!call.stdout.contains("model_1 learns"), "{}", call.stdout);

    // How convolutions are computed does not describe another network.
    let line = format!("run --epochs 1 --batch-size 32 --limit 64 --out implicit --from {FILE} --conv-method implicit");
    let call = place.call(line.split_whitespace().chain(["--data", archive().to_str().unwrap()]));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let network = |run: &str| {
        let text = fs::read_to_string(place.path(run).join("config.toml")).unwrap();
        let mut config: toml::Table = text.parse().unwrap();
        (config.remove("conv-method").unwrap().to_string(), config["filters"].clone(), config["dense"].clone())
    };
    let (method, filters, dense) = network("implicit");
    assert_eq!(("\"implicit\"".to_owned(), filters, dense), (method, network("new").1, network("new").2));
}

#[test]
fn features_from_a_file_can_be_frozen_up_to_an_earlier_layer() {
    let (place, run) = trained();
    let call = from(&place, FILE, "--target 1-3 --freeze conv2d_1");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let model_2 = fs::read(place.path("new/weights-model_2.safetensors")).unwrap();
    assert_eq!(tensor(&model_2, "conv2d_1/kernel"), tensor(run.weights()[0], "conv2d_1/kernel"));
    assert_ne!(tensor(&model_2, "conv2d_2/kernel"), tensor(run.weights()[0], "conv2d_2/kernel"));
    assert_eq!(tensor(&model_2, "dense_2/bias").len(), 3 * 4);
}

#[test]
fn a_warm_head_starts_from_the_files() {
    let (place, run) = trained();
    let call = from(&place, FILE, "--head warm --learning-rate 1e-12");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("the file's head") && call.stdout.contains("loaded\n"), "{}", call.stdout);
    let model_2 = fs::read(place.path("new/weights-model_2.safetensors")).unwrap();
    assert_eq!(tensor(&model_2, "dense_1/kernel").len(), tensor(run.weights()[0], "dense_1/kernel").len());
    let call = from(&place, FILE, "--head warm --target 5-7");
    call.assert_refused("--head warm needs as many target classes");
}

#[test]
fn features_of_other_shapes_are_refused_and_another_head_is_accepted() {
    let (place, run) = trained();
    // The same features and a wider head.
    let call = from(&place, FILE, "--filters 8 --dense 24");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    fs::remove_dir_all(place.path("new")).unwrap();

    let call = from(&place, FILE, "--filters 8,9 --dense 16");
    assert_eq!(call.code, Some(2), "{}", call.stdout);
    let words = "tensor conv2d_2/kernel: expected 3 x 3 x 8 x 9, found 3 x 3 x 8 x 8; 1 more tensor does not match";
    assert!(call.stderr.starts_with(&format!("error: --from: {FILE}: {words}")), "{}", call.stderr);
    assert!(call.stderr.contains("--partial") && call.stderr.lines().count() == 1);
    assert!(call.stdout.contains("MISMATCHED") && !place.path("new").exists(), "{}", call.stdout);

    let call = from(&place, FILE, "--filters 8,9 --dense 16 --partial");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let model_2 = fs::read(place.path("new/weights-model_2.safetensors")).unwrap();
    assert_eq!(tensor(&model_2, "conv2d_1/kernel"), tensor(run.weights()[0], "conv2d_1/kernel"));
    let summary = place.summary("new");
    let frozen: Vec<&str> =
        summary["frozen"].as_array().unwrap().iter().map(|tensor| tensor["name"].as_str().unwrap()).collect();
    assert_eq!(frozen, ["conv2d_1/kernel", "conv2d_1/bias"], "a reinitialized layer is trainable");
}

#[test]
fn a_file_of_only_features_gives_the_same_model_as_a_whole_one() {
    let (place, run) = trained();
    let call = place.call(["features", FILE, "--out", "alone"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let call = from(&place, "alone", "");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let model_2 = fs::read(place.path("new/weights-model_2.safetensors")).unwrap();
    assert!(model_2 == run.weights()[1], "the same features, seed and classes give the same model_2");
    let words = |name: &str| -> Vec<String> {
        let line = call.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        line.split("  ").filter(|word| !word.is_empty()).map(|word| word.trim().to_owned()).collect()
    };
    assert_eq!(words("conv2d_2/kernel").last().unwrap(), "loaded, frozen");
    assert_eq!(words("dense_1/kernel")[1..], ["-", "1568 x 16", "new"], "the file has no head");
    fs::remove_dir_all(place.path("new")).unwrap();

    let call = from(&place, "alone", "--head warm");
    call.assert_refused("--head warm: the file holds only features");
    let call = from(&place, "alone", "--freeze dense_1");
    call.assert_failed(2, "tensor dense_1/kernel: expected 1568 x 16, found nothing");
    let call = from(&place, "alone", "--freeze dense_1 --partial");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("MISSING"), "{}", call.stdout);
}

#[test]
fn invalid_feature_files_are_refused() {
    let (place, run) = trained();
    fs::write(place.path("cut"), &run.weights()[0][..2000]).unwrap();
    let mut flipped = run.weights()[0].to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(place.path("flipped"), flipped).unwrap();
    fs::write(place.path("page"), "<!DOCTYPE html>").unwrap();
    for (file, words) in [
        ("nowhere", "--from: nowhere: no such file; expected a safetensors file"),
        ("run", "--from: run: is a folder; expected a safetensors file"),
        ("cut", "--from: cut: is truncated or damaged: its header describes a different length than its 2,000 bytes"),
        ("flipped", "--from: flipped: is damaged, or was changed by another program: its seal is "),
        ("page", "--from: page: is not a safetensors file; it looks like a web page"),
        ("run/summary.json", "--from: run/summary.json: is not a safetensors file"),
    ] {
        let call = from(&place, file, "");
        call.assert_refused(&format!("error: {words}"));
        assert!(!place.path("new").exists());
    }
}

#[test]
fn flags_that_conflict_with_a_feature_file_are_refused() {
    let (place, _) = trained();
    for (flags, words) in [
        ("--source 0-4", "the argument '--from <FILE>' cannot be used with '--source <CLASSES>'"),
        ("--freeze dense_2", "--freeze dense_2 leaves nothing to train"),
        ("--freeze conv2d_9", "--freeze: there is no layer 'conv2d_9'"),
    ] {
        let call = from(&place, FILE, flags);
        call.assert_refused(words);
    }
    let call = place.call(["run", "--partial"]);
    call.assert_refused("--from <FILE>");
}

#[test]
fn features_come_from_any_model_of_the_program() {
    let place = Place::new();
    folder(&place);
    let run = place.run("");
    fs::write(place.path("model_1.safetensors"), run.weights()[0]).unwrap();
    let call = adapt(&place, "--from model_1.safetensors --out whole");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    // A smaller file with only the features works as well.
    let call = place.call(["features", "model_1.safetensors"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let call = adapt(&place, "--from features.safetensors --out alone");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let model = |out: &str| fs::read(place.path(out).join("model.safetensors")).unwrap();
    assert_eq!(model("alone"), model("whole"));
    assert!(fs::metadata(place.path("features.safetensors")).unwrap().len() < 10_000);
    // A run folder of `adapt` can be used as a model.
    for model in ["whole", "whole/model.safetensors"] {
        let call = place.call(["features", model, "--out", &format!("{}.features", model.len())]);
        assert_eq!(call.code, Some(0), "{}", call.stderr);
    }
    assert_eq!(fs::read(place.path("5.features")).unwrap(), fs::read(place.path("23.features")).unwrap());
    // The model remembers the size that its pictures are scaled to.
    let call = adapt(&place, "--from features.safetensors --size 48 --out larger");
    assert!(call.code == Some(0) && call.stdout.contains("scaled to 48 x 48 pixels"), "{}", call.stderr);
    assert_ne!(model("larger"), model("whole"));
    let call = place.call(["predict", "--from", "larger", "pictures/dark/0.png"]);
    assert!(call.stdout.starts_with("dark "), "{}{}", call.stdout, call.stderr);
    adapt(&place, "--from features.safetensors --size 3").assert_refused("--size: layer");
    adapt(&place, "--size 5000").assert_refused("expected 1 to 1024");
    // But features alone cannot classify.
    let call = place.call(["predict", "--from", "features.safetensors", "pictures/dark/0.png"]);
    call.assert_refused("features.safetensors: holds only features, no head");
}

#[test]
fn the_bundled_features_are_reproduced_by_the_program() {
    let place = Place::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("features/built-in.safetensors");
    let call = place.call(["features", shipped.to_str().unwrap(), "--out", "again.safetensors"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert_eq!(fs::read(place.path("again.safetensors")).unwrap(), fs::read(shipped).unwrap());
}

#[test]
fn features_of_pictures_are_written_for_other_programs() {
    let place = Place::new();
    folder(&place);
    let call = place.call(["features", "--of", "pictures"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let bytes = fs::read(place.path("features.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let names: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["pictures"]).unwrap();
    assert_eq!(names["classes"], serde_json::json!(["dark", "light"]));
    assert_eq!(names["files"][19], "pictures/light/9.gif");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("features").unwrap().shape(), [20, 1024]);
    let labels = file.tensor("labels").unwrap();
    assert_eq!(labels.data()[76..], 1_f32.to_le_bytes());
    place.call(["features"]).assert_failed(2, "<MODEL>");
    for class in ["dark", "light"] {
        fs::create_dir_all(place.path("damaged").join(class)).unwrap();
        fs::write(place.path("damaged").join(class).join("0.png"), "no picture").unwrap();
    }
    let call = place.call(["features", "--of", "damaged", "--out", "none.safetensors"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("error: damaged: no picture could be read\n"), "{}", call.stderr);
    assert!(!place.path("none.safetensors").exists());
}

#[test]
fn published_features_of_another_size_are_imported_and_adapted() {
    let place = Place::new();
    folder(&place);
    let network = r#"
size = 24
layers = [
    { type = "Rescaling", name = "rescaling", scale = 2, offset = -1 },
    { type = "Conv2D", name = "stem", filters = 4, kernel_size = 3, strides = 2, padding = "same", activation = "relu6" },
    { type = "Residual", name = "block", layers = [
        { type = "DepthwiseConv2D", name = "depthwise", kernel_size = 3, padding = "same", activation = "relu6" },
        { type = "Conv2D", name = "project", filters = 4, kernel_size = 1 },
    ] },
    { type = "GlobalAveragePooling2D" },
    { type = "Dense" },
]
"#;
    fs::write(place.path("network.toml"), network).unwrap();
    let shapes = [
        ("stem.weight", vec![4, 3, 3, 3]),
        ("stem.bias", vec![4]),
        ("block.depthwise.weight", vec![4, 1, 3, 3]),
        ("block.depthwise.bias", vec![4]),
        ("block.project.weight", vec![4, 4, 1, 1]),
        ("block.project.bias", vec![4]),
    ];
    let values =
        |len: usize| (0..len).flat_map(|i| ((i * 7 % 11) as f32 / 20.0 - 0.2).to_le_bytes()).collect::<Vec<u8>>();
    let data: Vec<Vec<u8>> = shapes.iter().map(|(_, shape)| values(shape.iter().product())).collect();
    let views = shapes.iter().zip(&data);
    let views = views.map(|((name, shape), data)| (*name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs::write(place.path("theirs"), safetensors::serialize(views, None).unwrap()).unwrap();

    let import = ["import", "theirs", "--features", "--model", "network.toml", "--classes", "all", "--out", "features"];
    let call = place.call(import);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert!(call.stdout.contains("features: features, from PyTorch's theirs"), "{}", call.stdout);
    let call = adapt(&place, "--from features --out run");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let call = place.call(["predict", "--from", "run", "pictures/dark/0.png"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    // The pictures of a data set have 32 x 32 pixels.
    let call = place.call(["run", "--from", "features", "--out", "other"]);
    assert_eq!(call.code, Some(2), "{}", call.stderr);
    assert!(call.stderr.contains("the network takes pictures of 24 x 24 pixels"), "{}", call.stderr);
}
