//! Your own networks, from a file.

use std::{collections::BTreeMap, fs};

use safetensors::SafeTensors;

use crate::invocation::{Place, Run};

/// Every tensor of both models, by name.
fn tensors(run: &Run) -> [BTreeMap<String, Vec<u8>>; 2] {
    run.weights().map(|bytes| {
        let file = SafeTensors::deserialize(bytes).unwrap();
        file.tensors().into_iter().map(|(name, tensor)| (name, tensor.data().to_vec())).collect()
    })
}

#[test]
fn your_own_network_is_trained_and_recorded() {
    let place = Place::new();
    fs::write(
        place.path("own.toml"),
        r#"
[[layers]]
name = "look"
type = "Conv2D"
filters = 6
kernel_size = [3, 5]
strides = 2
padding = "same"
activation = "relu"

[[layers]]
type = "MaxPooling2D"

[[layers]]
type = "Flatten"

[[layers]]
type = "Dense"
activation = "softmax"
"#,
    )
    .unwrap();
    let run = place.run("--model own.toml");
    let summary = run.summary();
    assert_eq!(summary["config"]["freeze"], "flatten_1");
    assert_eq!(summary["config"]["layers"][0]["kernel_size"], serde_json::json!([3, 5]));
    let layers = summary["model_2"]["network"]["layers"].as_array().unwrap();
    let names: Vec<_> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["look", "activation_1", "max_pooling2d_1", "flatten_1", "dense_1"]);
    assert_eq!(layers[1]["output"], serde_json::json!([16, 16, 6]));
    assert_eq!(layers[0]["trainable"], false);
    assert_eq!(summary["frozen"][0]["name"], "look/kernel");
    assert_eq!(summary["frozen_unchanged"], true);
}

#[test]
fn errors_name_the_file_the_line_and_the_layer() {
    let place = Place::new();
    let lines = |lines: &[&str]| format!("layers = [\n{},\n]\n", lines.join(",\n"));
    let conv = r#"{ type = "Conv2D", filters = 8, kernel_size = 3 }"#;
    let [flatten, dense] = [r#"{ type = "Flatten" }"#, r#"{ type = "Dense" }"#];
    for (text, words) in [
        (String::new(), "line 1: layers is missing"),
        ("layers = [".to_owned(), "line 1: "),
        ("layers = []".to_owned(), "the network outputs 32 x 32 x 3, but there are 5 classes"),
        ("layer = []".to_owned(), "line 1: 'layer' is unknown; expected size or layers"),
        (lines(&[flatten, "{ units = 5 }"]), "line 3: layer: type is missing"),
        (lines(&[r#"{ type = "Conv3D" }"#]), "line 2: Conv3D: 'Conv3D' is unknown; expected one of Conv2D"),
        (lines(&[flatten, r#"{ type = "Dense", unit = 5 }"#]), "line 3: Dense: 'unit' is unknown; expected"),
        (lines(&[r#"{ type = "Conv2D", filters = 8 }"#]), "line 2: Conv2D: kernel_size is missing"),
        (lines(&[r#"{ type = "Conv2D", filters = -8, kernel_size = 3 }"#]), "expected a whole number >= 0, found -8"),
        (
            lines(&[r#"{ type = "Conv2D", filters = 8, kernel_size = 3, strides = 0 }"#, flatten, dense]),
            "line 2: layer 1 'conv2d_1' (Conv2D)",
        ),
        (lines(&[r#"{ type = "Conv2D", filters = 8, kernel_size = [3] }"#]), "expected a whole number, or two as in"),
        (
            lines(&[conv, r#"{ type = "Conv2D", filters = 8, kernel_size = 40 }"#]),
            "line 3: layer 2 'conv2d_2' (Conv2D) cannot take an input of 30 x 30 x 8: its 40 x 40 kernel is larger",
        ),
        (lines(&[conv, dense]), "line 3: layer 2 'dense_1' (Dense) cannot take an input of 30 x 30 x 8"),
        (lines(&[flatten, dense, dense]), "line 3: Dense: units is missing; only the last Dense"),
        (
            lines(&[flatten, r#"{ type = "Dense", units = 7 }"#]),
            "line 3: the network outputs 7, but there are 5 classes",
        ),
        (lines(&[r#"{ type = "Dropout", rate = 1.5 }"#, flatten, dense]), "its rate is 1.5"),
        (lines(&[r#"{ type = "Flatten", name = "a/b" }"#, dense]), "line 2: Flatten: its name has a '/'"),
        (
            lines(&[r#"{ type = "Flatten", name = "dense_1" }"#, dense]),
            "line 3: layer 2 has the same name as an earlier layer, 'dense_1'",
        ),
        (
            lines(&[r#"{ type = "Activation", activation = "softmax" }"#, flatten, dense]),
            "line 2: Activation: softmax is part of the loss",
        ),
        (
            lines(&[flatten, r#"{ type = "Dense", units = 2000000000 }"#, dense]),
            "parameters; expected at most 1,000,000,000",
        ),
    ] {
        fs::write(place.path("wrong.toml"), &text).unwrap();
        for call in [place.call_run("--model wrong.toml"), place.call(["summary", "--model", "wrong.toml"])] {
            call.assert_refused(words);
        }
    }
    fs::write(place.path("wrong.toml"), format!("size = 5000\n{}", lines(&[flatten, dense]))).unwrap();
    let call = place.call(["summary", "--model", "wrong.toml"]);
    call.assert_refused("wrong.toml: the size of its pictures is 5000; expected 1 to 1024");
    let call = place.call(["summary", "--model", "nowhere.toml"]);
    assert!(call.stderr.contains("--model: nowhere.toml: no such file"), "{}", call.stderr);
    let call = place.call_run("--model wrong.toml --pool 3");
    assert!(call.stderr.contains("'--model <FILE>' cannot be used with '--pool <N>'"), "{}", call.stderr);
}

#[test]
fn batch_normalization_is_trained_and_then_frozen() {
    let place = Place::new();
    fs::write(
        place.path("own.toml"),
        r#"layers = [
            { type = "Conv2D", filters = 5, kernel_size = 3, strides = 3 },
            { type = "BatchNormalization", momentum = 0.5 },
            { type = "Activation", activation = "relu" },
            { type = "GlobalAveragePooling2D" },
            { type = "Dense", units = 6 },
            { type = "BatchNormalization", epsilon = 0.01 },
            { type = "Dense" },
        ]"#,
    )
    .unwrap();
    let run = place.run("--model own.toml");
    let [model_1, model_2] = tensors(&run);
    let features = |name: &&String| name.starts_with("conv2d_1/") || name.starts_with("batch_normalization_1/");
    assert_eq!(model_1.keys().filter(features).count(), 6);
    assert!(model_1.keys().filter(features).all(|name| model_1[name] == model_2[name]), "all six are frozen");
    for statistic in ["moving_mean", "moving_variance"] {
        let [first, second] = [1, 2].map(|n| format!("batch_normalization_{n}/{statistic}"));
        let initial: f32 = if statistic == "moving_mean" { 0.0 } else { 1.0 };
        assert_ne!(model_1[&first], initial.to_le_bytes().repeat(5), "{first} moved in model_1");
        assert_ne!(model_1[&second], model_2[&second], "{second} belongs to the head");
    }
    assert_eq!(run.summary()["frozen_unchanged"], true);
    assert_eq!(run.summary()["config"]["freeze"], "global_average_pooling2d_1");
}

#[test]
fn a_sweep_refuses_or_leaves_out_arms_that_the_network_does_not_allow() {
    let place = Place::new();
    let convolution = r#"{ type = "Conv2D", filters = 10, kernel_size = 3 }"#;
    let residual =
        format!(r#"{{ type = "Residual", layers = [{}] }}"#, convolution.replace(" }", r#", padding = "same" }"#));
    for (name, middle, last) in
        [("residual.toml", &*residual, r#", { type = "Dense" }"#), ("plain.toml", convolution, "")]
    {
        let layers = format!(r#"{convolution}, {middle}, {{ type = "GlobalAveragePooling2D" }}{last}"#);
        fs::write(place.path(name), format!("layers = [{layers}]")).unwrap();
    }
    let sweep = |flags: &str| place.call(format!("sweep --dry-run --data built-in {flags}").split(' '));
    let refused = sweep("--model residual.toml --arms frozen-random-matched");
    refused.assert_refused("frozen-random-matched: cannot match layer 'residual_1' of the network");
    let quick = sweep("--model residual.toml --preset quick");
    assert_eq!(quick.code, Some(0), "{}", quick.stderr);
    assert!(quick.stdout.contains("frozen-random-seed-0\n") && !quick.stdout.contains("matched"), "{}", quick.stdout);
    sweep("--model plain.toml --arms joint").assert_refused("it needs a Conv2D before a final Dense");
}
