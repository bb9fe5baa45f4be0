//! model_2's head, fresh or warm, and the last frozen layer.

use safetensors::SafeTensors;

use crate::invocation::Place;

/// The bytes of one tensor of a file.
fn tensor(file: &[u8], name: &str) -> Vec<u8> {
    SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().data().to_vec()
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
    let distance = |head: &str| {
        let run = Place::new().run(&format!("--head {head} {ALMOST_STILL}"));
        assert_eq!(run.summary()["head"], head);
        let [model_1, model_2] = run.weights().map(|file| {
            let bytes = tensor(file, "dense_1/kernel");
            let floats: Vec<f32> = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect();
            floats
        });
        model_1.iter().zip(&model_2).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert!(distance("warm") < 1e-6);
    assert!(distance("fresh") > 1e-2);
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
