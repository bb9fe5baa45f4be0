//! Training options: schedules, augmentation, early stopping, presets.

use crate::invocation::{Place, small_run};

#[test]
fn schedules_and_augmentation_change_the_weights_and_are_in_the_config() {
    let plain = Place::new().run("--epochs 2");
    for flags in
        ["--schedule cosine", "--schedule one-cycle", "--augment flip", "--augment crop", "--augment flip,crop"]
    {
        let place = Place::new();
        let first = place.run(&format!("--epochs 2 {flags}"));
        assert!(first.weights()[0] != plain.weights()[0], "{flags} has no effect");
        std::fs::rename(place.path("run"), place.path("first")).unwrap();
        let call = place.call(["--config", "first/config.toml", "--threads", "3", "--out", "run"]);
        assert_eq!(call.code, Some(0), "{flags}: {}", call.stderr);
        for name in ["weights-model_1.safetensors", "weights-model_2.safetensors"] {
            assert!(
                std::fs::read(place.path("run").join(name)).unwrap() == first.read(name),
                "{flags}: {name} differs"
            );
        }
    }
}

#[test]
fn augmentation_turns_the_cache_off_and_says_so() {
    let place = Place::new();
    let run = place.run("--augment flip");
    let said = run.call.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("seed 1; random augmentation: flip"), "{said}");
    assert!(said.contains("cache off: features of augmented pictures"), "{said}");
    let call = Place::new().call_run("--augment flip --cache on");
    call.assert_refused("--cache on: features of augmented pictures cannot be computed once");
    for (flags, words) in [
        ("--augment rotate", "'rotate' for '--augment <CHANGES>': expected flip, crop or flip,crop"),
        ("--schedule linear", "expected one of constant, cosine, one-cycle"),
        ("--preset faster", "'faster' for '--preset <PRESET>'"),
    ] {
        let call = Place::new().call_run(flags);
        assert!(call.code == Some(2) && call.stderr.contains(words), "{flags}: {}", call.stderr);
    }
}

#[test]
fn early_stopping_restores_the_best_weights() {
    let run = Place::new().run("--epochs 40 --early-stopping 2 --learning-rate 0.02");
    let summary = run.summary();
    for name in ["model_1", "model_2"] {
        let accuracies: Vec<f64> = summary[name]["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["val_accuracy"].as_f64().unwrap())
            .collect();
        let highest = accuracies.iter().copied().fold(0.0, f64::max);
        let best = accuracies.iter().position(|&accuracy| accuracy == highest).unwrap() + 1;
        assert_eq!(accuracies.len(), (best + 2).min(40), "{name}: {accuracies:?}");
        let said = format!("{name} restored the weights of its best epoch, {best}");
        assert!(run.call.stdout.contains(&said), "{said}: {}", run.call.stdout);
        // The confusion matrix is that of the best weights.
        let counts: Vec<Vec<u64>> = serde_json::from_value(summary[name]["confusion"]["counts"].clone()).unwrap();
        let right: u64 = (0..counts.len()).map(|class| counts[class][class]).sum();
        let all: u64 = counts.iter().flatten().sum();
        assert_eq!(right as f64 / all as f64, highest, "{name}");
    }
}

#[test]
fn settings_files_and_flags_override_a_preset() {
    let place = Place::new();
    let data = small_run("").into_iter().nth(2).unwrap();
    std::fs::write(place.path("settings.toml"), "limit = 16\nepochs = 2\nfilters = 2\ndense = 3").unwrap();
    let flags = ["--preset", "fast", "--config", "settings.toml", "--learning-rate", "0.01", "--out", "run"];
    let call = place.call(["run", "--data", &data].into_iter().chain(flags));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let config: toml::Table = std::fs::read_to_string(place.path("run/config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["schedule"].as_str(), Some("one-cycle"), "the preset's");
    assert_eq!(config["epochs"].as_integer(), Some(2), "the file's");
    assert_eq!(config["learning-rate"].as_float(), Some(0.01), "the command line's");
}
