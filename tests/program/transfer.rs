//! model_2's head, fresh or warm, and the last frozen layer.

use safetensors::SafeTensors;

use crate::invocation::Place;

/// The bytes of one tensor of a file.
pub fn tensor(file: &[u8], name: &str) -> Vec<u8> {
    SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().data().to_vec()
}

/// The values of one tensor of a file.
pub fn floats(file: &[u8], name: &str) -> Vec<f32> {
    tensor(file, name).as_chunks().0.iter().copied().map(f32::from_le_bytes).collect()
}

/// The greatest difference between two files' tensors of this name.
fn distance(files: [&[u8]; 2], name: &str) -> f32 {
    let [a, b] = files.map(|file| floats(file, name));
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// A learning rate so small that training hardly changes the weights.
const ALMOST_STILL: &str = "--learning-rate 1e-12";

#[test]
fn frozen_tensors_are_unchanged_and_the_head_is_trained() {
    let run = Place::new().run("--head warm");
    let [model_1, model_2] = run.weights();
    for name in ["conv2d_1/kernel", "conv2d_1/bias", "conv2d_2/kernel", "conv2d_2/bias"] {
        assert_eq!(tensor(model_1, name), tensor(model_2, name), "{name}");
    }
    for name in ["dense_1/kernel", "dense_2/kernel", "dense_2/bias"] {
        assert_ne!(tensor(model_1, name), tensor(model_2, name), "{name}");
    }
}

#[test]
fn a_warm_head_starts_from_model_1s_and_a_fresh_one_does_not() {
    let start = |head: &str| {
        let run = Place::new().run(&format!("--head {head} {ALMOST_STILL}"));
        assert_eq!(run.summary()["head"], head);
        distance(run.weights(), "dense_1/kernel")
    };
    assert!(start("warm") < 1e-6);
    assert!(start("fresh") > 1e-2);
}

#[test]
fn the_control_has_untrained_features_and_the_same_initial_head() {
    const CONTROL: &str = "weights-frozen-random.safetensors";
    let run = Place::new().run(ALMOST_STILL);
    let files = [run.weights()[1], run.read(CONTROL)];
    for name in ["conv2d_1/kernel", "conv2d_2/kernel"] {
        assert!(distance(files, name) > 1e-2, "{name} was copied from model_1");
    }
    for name in ["dense_1/kernel", "dense_2/kernel"] {
        assert!(distance(files, name) < 1e-6, "{name} differs from model_2's first weights");
    }
    // Training leaves the control's features as they were.
    assert_eq!(tensor(Place::new().run("").read(CONTROL), "conv2d_1/kernel"), tensor(files[1], "conv2d_1/kernel"));

    // Without frozen layers no control is trained.
    let place = Place::new();
    let network = r#"layers = [{ type = "Flatten" }, { type = "Dense" }]"#;
    std::fs::write(place.path("flat.toml"), network).unwrap();
    assert!(!place.run("--model flat.toml").files.contains_key(CONTROL));
}

#[test]
fn freeze_sets_the_last_frozen_layer() {
    let run = Place::new().run("--freeze conv2d_1");
    let summary = run.summary();
    let frozen: Vec<&str> =
        summary["frozen"].as_array().unwrap().iter().map(|tensor| tensor["name"].as_str().unwrap()).collect();
    assert_eq!(frozen, ["conv2d_1/kernel", "conv2d_1/bias"]);
    let [model_1, model_2] = run.weights();
    assert_eq!(tensor(model_1, "conv2d_1/kernel"), tensor(model_2, "conv2d_1/kernel"));
    assert_ne!(tensor(model_1, "conv2d_2/kernel"), tensor(model_2, "conv2d_2/kernel"));

    // After a dropout layer features cannot be cached, but frozen layers are unchanged there, too.
    let run = Place::new().run("--freeze dense_1");
    let [model_1, model_2] = run.weights();
    assert_eq!(tensor(model_1, "dense_1/kernel"), tensor(model_2, "dense_1/kernel"));
    assert_eq!(run.summary()["frozen_unchanged"], true);
}

#[test]
fn source_and_target_may_have_different_numbers_of_classes() {
    let run = Place::new().run("--source 0-2 --target 5-9");
    let [model_1, model_2] = run.weights();
    assert_eq!(tensor(model_1, "dense_2/bias").len(), 3 * 4);
    assert_eq!(tensor(model_2, "dense_2/bias").len(), 5 * 4);
    let call = Place::new().call_run("--source 0-2 --target 5-9 --head warm");
    call.assert_refused("as many target classes as source classes: there are 5 and 3");
}
