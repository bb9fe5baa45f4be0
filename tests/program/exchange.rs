//! `eval`, `export` and `import`.

use std::fs;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

use crate::{
    invocation::{Place, Run, archive},
    transfer::floats,
};

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
fn eval_gives_the_scores_of_the_run() {
    let (place, run) = trained();
    let summary = run.summary();
    let data = thawline_cifar::Dataset::open(archive()).unwrap();
    let test = data.test();
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
        let logits = floats(&bytes, "logits");
        assert!(logits.iter().any(|logit| !(0.0..=1.0).contains(logit)), "these are probabilities");
        // The rows are in the order of the test pictures; the archive's labels give the same confusion matrix.
        let first = if model == "model_1" { 0 } else { 5 };
        let labels = test.iter().filter_map(|image| usize::from(image.label).checked_sub(first)).filter(|&at| at < 5);
        let mut counts = [[0; 5]; 5];
        for (label, row) in labels.zip(logits.chunks(5)) {
            counts[label][(0..5).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap()] += 1;
        }
        assert_eq!(scores["confusion"]["counts"], serde_json::json!(counts), "{model}");
    }
    let call = place.call(["eval", "--from", MODEL, "--data", archive().to_str().unwrap(), "--limit", "20"]);
    for words in ["accuracy ", " on 20 test pictures, loss ", "confusion matrix", " 5 tree "] {
        assert!(call.stdout.contains(words), "{words}: {}", call.stdout);
    }
    // Other classes instead of its own.
    let other = json(&place, &format!("eval --from {MODEL} --classes 5-9"));
    assert_eq!(other["confusion"]["classes"][0], "boat");
}

#[test]
fn exported_weights_can_be_imported_again() {
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
            // The imported file is a model like any other.
            let [original, imported] =
                [MODEL, &out].map(|model| json(&place, &format!("eval --from {model}"))["loss"].clone());
            assert_eq!(original, imported);
        }
    }
}

/// The file's tensors with other names and another encoding of the values.
fn rewritten(bytes: &[u8], name: impl Fn(&str) -> String, dtype: Dtype, form: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(old, tensor)| {
        let values = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
        (name(&old), tensor.shape().to_vec(), values.flat_map(&form).collect::<Vec<u8>>())
    });
    let tensors: Vec<_> = tensors.collect();
    let views =
        tensors.iter().map(|(name, shape, data)| (name.as_str(), TensorView::new(dtype, shape.clone(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn files_of_other_tools_are_imported() {
    let (place, run) = trained();
    let as_is = |value: f32| value.to_le_bytes().to_vec();
    let bf16 = |value: f32| value.to_le_bytes()[2..].to_vec();
    for format in ["torch", "keras"] {
        assert_eq!(place.call(["export", "--format", format, "--from", MODEL, "--out", format]).code, Some(0));
    }
    let original = SafeTensors::deserialize(run.weights()[0]).unwrap();
    for (format, prefix, suffix, dtype) in [
        ("torch", "module.", "", Dtype::F32),
        ("torch", "_orig_mod.", "", Dtype::F32),
        ("torch", "model.module._orig_mod.", "", Dtype::BF16),
        ("keras", "sequential/", "", Dtype::F32),
        ("keras", "", ":0", Dtype::F32),
    ] {
        let bytes = fs::read(place.path(format)).unwrap();
        let name = |name: &str| format!("{prefix}{name}{suffix}");
        let bytes = match dtype {
            Dtype::BF16 => rewritten(&bytes, name, dtype, bf16),
            _ => rewritten(&bytes, name, dtype, as_is),
        };
        fs::write(place.path("theirs"), bytes).unwrap();
        let call = place.call(["import", "theirs", "--out", "ours", "--like", MODEL]);
        assert_eq!(call.code, Some(0), "{prefix}: {}", call.stderr);
        assert_eq!(
            call.stdout.contains(&format!(", without the prefix {prefix}")),
            !prefix.is_empty(),
            "{}",
            call.stdout
        );
        let imported = fs::read(place.path("ours")).unwrap();
        fs::remove_file(place.path("ours")).unwrap();
        let imported = SafeTensors::deserialize(&imported).unwrap();
        for (name, tensor) in original.tensors() {
            let mut expected = tensor.data().to_vec();
            if dtype == Dtype::BF16 {
                expected.chunks_mut(4).for_each(|value| value[..2].fill(0));
            }
            assert_eq!(imported.tensor(&name).unwrap().data(), expected, "{prefix}: {name}");
        }
    }
    let torch = fs::read(place.path("torch")).unwrap();
    let sequential = |name: &str| name.replace("conv2d_1", "0").replace("conv2d_2", "2").replace("dense", "fc");
    for (bytes, words) in [
        (
            rewritten(&torch, sequential, Dtype::F32, as_is),
            "tensor conv2d_1.weight (8 x 3 x 3 x 3) is missing; the nearest is 0.weight (8 x 3 x 3 x 3): rename it, or \
             rename the layer in your --model file; 15 more tensors do not match; its tensors are 0.bias, 0.weight, \
             2.bias, 2.weight, fc_1.bias, fc_1.weight, fc_2.bias, fc_2.weight",
        ),
        (
            // Keras 3 counts from 0.
            rewritten(&torch, |name| name.replace("_1", "").replace("_2", "_1"), Dtype::F32, as_is),
            "tensor conv2d_2.weight (8 x 8 x 3 x 3) is missing; the nearest is conv2d_1.weight (8 x 8 x 3 x 3): rename it",
        ),
        (
            rewritten(&torch, |name| name.replace('.', "_"), Dtype::F32, as_is),
            "has neither PyTorch's names, such as conv2d_1.weight, nor Keras's, such as conv2d_1/kernel; its tensors are \
             conv2d_1_bias, conv2d_1_weight, ",
        ),
        (rewritten(&torch, str::to_owned, Dtype::I32, as_is), "tensor conv2d_1.weight: expected F32, F16, BF16 or F64"),
        (
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02}q\0.".to_vec(),
            "an old .pth or .pt of PyTorch; in Python, ",
        ),
    ] {
        fs::write(place.path("theirs"), bytes).unwrap();
        let call = place.call(["import", "theirs", "--out", "ours", "--like", MODEL]);
        assert_eq!((call.code, call.stderr.lines().count()), (Some(2), 1), "{}", call.stderr);
        assert!(call.stderr.contains(words), "{words}: {}", call.stderr);
    }
    for (names, words) in [
        ("a, b ,c,d,a", "--classes: name 5, \"a\", occurs twice"),
        ("a,b,,d,e", "--classes: name 3, \"\", is empty"),
        ("a,b, ,d,e", "--classes: name 3, \"\", is empty"),
        ("a,b\x1b[31m\nb,c,d,e", r#"--classes: name 2, "b\u{1b}[31m\nb", has a control character"#),
    ] {
        let call =
            place.call(["import", "torch", "--out", "ours", "--classes", names, "--filters", "8", "--dense", "16"]);
        assert_eq!((call.code, call.stderr.lines().count()), (Some(2), 1), "{}", call.stderr);
        assert!(call.stderr.contains(words) && !place.path("ours").exists(), "{words}: {}", call.stderr);
    }
}

#[test]
fn user_errors_with_models_are_one_line() {
    let (place, run) = trained();
    fs::write(place.path("cut"), &run.weights()[0][..2000]).unwrap();
    assert_eq!(place.call(["export", "--format", "torch", "--from", MODEL, "--out", "torch"]).code, Some(0));
    let data = archive().display();
    for (line, words) in [
        (format!("eval --data {data}"), "--from <MODEL>"),
        (format!("eval --data {data} --from nowhere"), "--from: nowhere: no such file"),
        (format!("eval --data {data} --from cut"), "--from: cut: is truncated"),
        (format!("eval --data {data} --from torch"), "has no metadata of this program; `thawline import`"),
        (format!("eval --data {data} --from {MODEL} --classes 5-7"), "the model has 5 classes, the list 3"),
        (format!("eval --data {data} --from {MODEL} --classes 5-12"), "--classes 5-12: unknown class 12"),
        (format!("eval --data nowhere --from {MODEL}"), "--data: nowhere: no such file or folder"),
        (format!("export --format onnx --from {MODEL} --out x"), "expected one of torch, keras"),
        (format!("export --format torch --from {MODEL} --out torch"), "torch: already exists; name another file"),
        ("export --format torch --from torch --out x".to_owned(), "has no metadata of this program"),
        ("import torch --out x".to_owned(), "--classes <NAMES>"),
        ("import nowhere --out x --classes a,b".to_owned(), "nowhere: no such file"),
        ("import cut --out x --classes a,b".to_owned(), "cut: is truncated"),
        (
            "import torch --out x --classes a,b".to_owned(),
            "torch: does not hold this network: tensor conv2d_1.weight: expected 64 x 3 x 3 x 3, found 8 x 3 x 3 x 3; 7 more",
        ),
        (format!("import torch --out x --like {MODEL} --filters 8"), "cannot be used with"),
    ] {
        let call = place.call(line.split_whitespace());
        call.assert_refused(words);
        assert!(!place.path("x").exists(), "{line}");
    }
}
