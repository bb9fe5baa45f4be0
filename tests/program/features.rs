//! `run --from`: a new head on trained features from a file.

use std::fs;

use safetensors::SafeTensors;

use crate::invocation::{Call, Place, Run, archive, names};

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

fn tensor(file: &[u8], name: &str) -> Vec<u8> {
    SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().data().to_vec()
}

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

    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("new/summary.json")).unwrap()).unwrap();
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
    let words = "tensor conv2d_2/kernel: expected 3 x 3 x 8 x 9, found 3 x 3 x 8 x 8, and 1 more tensors do not fit";
    assert!(call.stderr.starts_with(&format!("error: --from: {FILE}: {words}")), "{}", call.stderr);
    assert!(call.stderr.contains("--partial") && call.stderr.lines().count() == 1);
    assert!(call.stdout.contains("MISMATCHED") && !place.path("new").exists(), "{}", call.stdout);

    let call = from(&place, FILE, "--filters 8,9 --dense 16 --partial");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let model_2 = fs::read(place.path("new/weights-model_2.safetensors")).unwrap();
    assert_eq!(tensor(&model_2, "conv2d_1/kernel"), tensor(run.weights()[0], "conv2d_1/kernel"));
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("new/summary.json")).unwrap()).unwrap();
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
        ("flipped", "--from: flipped: is damaged, or was changed by another program: its SHA-256 should be "),
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
