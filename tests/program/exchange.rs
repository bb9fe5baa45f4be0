//! `eval`, `export` and `import`: what a model is worth, and its way to other frameworks and back.

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::invocation::{Place, Run, archive};

const MODEL: &str = "run/weights-model_1.safetensors";

fn trained() -> (Place, Run) {
    let place = Place::new();
    let run = place.run("");
    (place, run)
}

fn json(place: &Place, line: &str) -> Value {
    let words = line.split_whitespace().chain(["--json", "--data", archive().to_str().unwrap()]);
    let call = place.call(words);
    assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
    serde_json::from_str(&call.stdout).unwrap()
}

#[test]
fn a_model_scores_what_its_run_measured() {
    let (place, run) = trained();
    let summary = run.summary();
    for model in ["model_1", "model_2"] {
        let scores = json(&place, &format!("eval --from run/weights-{model}.safetensors --logits {model}.safetensors"));
        let last = &summary[model]["history"][0];
        assert_eq!(scores["accuracy"], last["val_accuracy"]);
        let [loss, expected] = [&scores["loss"], &last["val_loss"]].map(|loss| loss.as_f64().unwrap());
        assert!((loss - expected).abs() < 1e-12 * expected, "{loss} {expected}");
        assert_eq!(scores["confusion"], summary[model]["confusion"]);
        assert_eq!(scores["examples"], 50);
        let bytes = fs::read(place.path(&format!("{model}.safetensors"))).unwrap();
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor("logits").unwrap().shape(), [50, 5]);
    }
    let call = place.call(["eval", "--from", MODEL, "--data", archive().to_str().unwrap(), "--limit", "20"]);
    for words in ["accuracy ", " of 20 test pictures, loss ", "true, taken for", "tree"] {
        assert!(call.stdout.contains(words), "{words}: {}", call.stdout);
    }
    // Other classes in the place of its own.
    let other = json(&place, &format!("eval --from {MODEL} --classes 5-9"));
    assert_eq!(other["confusion"]["classes"][0], "boat");
}

#[test]
fn weights_go_to_other_frameworks_and_come_back() {
    let (place, run) = trained();
    for (format, tensor, shape) in
        [("torch", "conv2d_2.weight", [8, 8, 3, 3]), ("keras", "conv2d_2/kernel", [3, 3, 8, 8])]
    {
        let call = place.call(["export", "--format", format, "--from", MODEL, "--out", format]);
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        let bytes = fs::read(place.path(format)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor(tensor).unwrap().shape(), shape);
        assert_eq!(file.len(), 8);
        let described = "--classes fish,house,kite,sun,tree --filters 8 --dense 16";
        for (out, how) in [("like", format!("--like {MODEL}")), ("described", described.to_owned())] {
            let out = format!("{format}-{out}");
            let call = place.call(format!("import {format} --out {out} {how}").split_whitespace());
            assert_eq!(call.code, Some(0), "{}", call.stderr);
            let imported = fs::read(place.path(&out)).unwrap();
            let [imported, original] =
                [&imported, run.weights()[0]].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
            for (name, tensor) in original.tensors() {
                assert_eq!(imported.tensor(&name).unwrap().data(), tensor.data(), "{out}: {name}");
            }
            // A model like any other.
            let [one, other] = [MODEL, &out].map(|model| json(&place, &format!("eval --from {model}"))["loss"].clone());
            assert_eq!(one, other);
        }
    }
}

#[test]
fn mistakes_with_models_are_named() {
    let (place, run) = trained();
    fs::write(place.path("cut"), &run.weights()[0][..2000]).unwrap();
    assert_eq!(place.call(["export", "--format", "torch", "--from", MODEL, "--out", "torch"]).code, Some(0));
    let data = archive().display();
    for (line, words) in [
        (format!("eval --data {data}"), "--from <MODEL>"),
        (format!("eval --data {data} --from nowhere"), "--from: nowhere: no such file"),
        (format!("eval --data {data} --from cut"), "--from: cut: is cut short"),
        (format!("eval --data {data} --from torch"), "has no metadata of this program; `thawline import`"),
        (
            format!("eval --data {data} --from {MODEL} --classes 5-7"),
            "the model tells 5 classes apart, and these are 3",
        ),
        (format!("eval --data {data} --from {MODEL} --classes 5-12"), "--classes 5-12: there is no class 12"),
        (format!("eval --data nowhere --from {MODEL}"), "--data: nowhere: no such file or folder"),
        (format!("export --format onnx --from {MODEL} --out x"), "expected one of torch, keras"),
        (format!("export --format torch --from {MODEL} --out torch"), "torch: exists already; name another file"),
        ("export --format torch --from torch --out x".to_owned(), "has no metadata of this program"),
        ("import torch --out x".to_owned(), "--classes <NAMES>"),
        ("import nowhere --out x --classes a,b".to_owned(), "nowhere: no such file"),
        ("import cut --out x --classes a,b".to_owned(), "cut: is cut short"),
        (
            "import torch --out x --classes a,b".to_owned(),
            "torch: does not hold this network: tensor conv2d_1.weight: expected 64 x 3 x 3 x 3, found 8 x 3 x 3 x 3; 7 more",
        ),
        (format!("import torch --out x --like {MODEL} --filters 8"), "cannot be used with"),
    ] {
        let call = place.call(line.split_whitespace());
        assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{line}: {}", call.stderr);
        assert!(call.stderr.contains(words) && call.stderr.lines().count() == 1, "{line}: {}", call.stderr);
        assert!(!place.path("x").exists(), "{line}");
    }
}
