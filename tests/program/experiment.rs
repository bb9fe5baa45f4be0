//! A complete run: its folder, its numbers, its output.

use serde_json::Value;

use crate::invocation::{Place, names};

#[test]
fn a_run_writes_exactly_these_files() {
    let place = Place::new();
    let run = place.run("");
    let expected = [
        "best-frozen-random.safetensors",
        "best-model_1.safetensors",
        "best-model_2.safetensors",
        "config.toml",
        "environment.json",
        "metrics.csv",
        "metrics.jsonl",
        "pictures/source.png",
        "pictures/target.png",
        "plots/accuracy.svg",
        "plots/loss.svg",
        "plots/time.svg",
        "report.html",
        "summary.json",
        "weights-frozen-random.safetensors",
        "weights-model_1.safetensors",
        "weights-model_2.safetensors",
    ];
    assert!(run.files.keys().eq(&expected), "{:?}", run.files.keys());
    assert_eq!(place.names(), ["run"]);
    let report = std::str::from_utf8(run.read("report.html")).unwrap();
    assert!(report.contains("mushroom") && report.contains("data:image/png;base64,"));
}

#[test]
fn the_summary_is_consistent() {
    let run = Place::new().run("--epochs 2 --seed 7");
    let summary = run.summary();
    assert_eq!(summary["seed"], 7);
    assert_eq!(summary["frozen_unchanged"], true);
    assert_eq!(summary["frozen"].as_array().unwrap().len(), 4);
    for tensor in summary["frozen"].as_array().unwrap() {
        assert_eq!(tensor["before"].as_str().unwrap().len(), 64);
        assert_eq!(tensor["before"], tensor["after"]);
    }
    for (model, half) in [("model_1", "source"), ("model_2", "target"), ("frozen_random", "target")] {
        let (record, task) = (&summary[model], &summary[half]);
        let history = record["history"].as_array().unwrap();
        assert_eq!(history.len(), 2);
        let mut seconds = record["features_seconds"].as_f64().unwrap();
        for (index, row) in history.iter().enumerate() {
            assert_eq!(row["epoch"], index as u64 + 1);
            for field in ["accuracy", "val_accuracy"] {
                assert!((0.0..=1.0).contains(&row[field].as_f64().unwrap()), "{field}");
            }
            for field in ["loss", "val_loss", "seconds"] {
                assert!(row[field].as_f64().unwrap() > 0.0, "{field}");
            }
            seconds += row["seconds"].as_f64().unwrap();
        }
        assert!(record["total_seconds"].as_f64().unwrap() >= seconds);
        assert_eq!(task["train_examples"], 64);
        // Half of the 100 test pictures, which are of ten classes.
        assert_eq!(task["val_examples"], 50);

        // The confusion matrix counts each validation picture once and agrees with the last accuracy.
        let counts: Vec<Vec<u64>> = serde_json::from_value(record["confusion"]["counts"].clone()).unwrap();
        assert_eq!(counts.iter().flatten().sum::<u64>(), 50);
        let right: u64 = (0..5).map(|class| counts[class][class]).sum();
        assert_eq!(right as f64 / 50.0, history[1]["val_accuracy"].as_f64().unwrap());
    }
    assert_eq!(summary["model_1"]["features_seconds"], 0.0);
    assert!(summary["model_2"]["features_seconds"].as_f64().unwrap() > 0.0);
    if cfg!(target_os = "linux") {
        assert!(summary["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
    }
    assert_eq!(run.metrics().len(), 6);
}

#[test]
fn config_toml_names_the_settings_like_the_flags() {
    let run = Place::new().run("--filters 8,12 --dropout 0.1,0.4 --learning-rate 0.002 --source 9,sun --target 0,boat");
    let config: toml::Table = toml::from_str(std::str::from_utf8(run.read("config.toml")).unwrap()).unwrap();
    assert_eq!(config["filters"].to_string(), "[8, 12]");
    assert_eq!(config["dropout"].to_string(), "[0.1, 0.4]");
    assert_eq!(config["learning-rate"].as_float(), Some(0.002));
    assert_eq!(config["batch-size"].as_integer(), Some(32));
    assert_eq!(config["source"].as_str(), Some("9,3"));
    assert_eq!(config["target"].as_str(), Some("0,5"));
    assert_eq!(config["freeze"].as_str(), Some("flatten_1"));
    let summary = run.summary();
    assert_eq!(summary["config"]["limit"], 64);
    assert_eq!(summary["source"]["classes"][0]["label"], 9);
    assert_eq!(summary["command"][0], "thawline");
}

#[test]
fn the_weights_are_safetensors_with_metadata() {
    let run = Place::new().run("--seed 3");
    let [model_1, model_2] = run.weights();
    for (bytes, model, frozen, class) in
        [(model_1, "model_1", &[][..], "fish"), (model_2, "model_2", &["conv2d_1", "conv2d_2"][..], "boat")]
    {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        assert_eq!(file.tensor("conv2d_2/kernel").unwrap().shape(), [3, 3, 8, 8]);
        assert_eq!(file.tensor("dense_1/kernel").unwrap().shape(), [14 * 14 * 8, 16]);
        assert_eq!(file.len(), 8);
        let (_, header) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
        let text = &header.metadata().as_ref().unwrap()["thawline"];
        let metadata: Value = serde_json::from_str(text).unwrap();
        assert_eq!(metadata["model"], model);
        assert_eq!(metadata["seed"], 3);
        assert_eq!(metadata["input"], serde_json::json!([32, 32, 3]));
        assert_eq!(metadata["frozen"], serde_json::json!(frozen));
        assert_eq!(metadata["classes"][0], class);
        assert_eq!(metadata["layers"].as_array().unwrap().len(), 11);
    }
}

#[test]
fn output_to_a_file_is_plain_lines() {
    let call = Place::new().run("--epochs 2").call;
    assert_eq!(call.stderr, "");
    assert!(!call.stdout.contains('\x1b') && !call.stdout.contains('\r'), "{}", call.stdout);
    let epochs = |epoch: &str| call.stdout.lines().filter(|line| line.trim_start().starts_with(epoch)).count();
    assert_eq!([epochs("1/2 "), epochs("2/2 ")], [3, 3], "{}", call.stdout);
    let plan = call.stdout.find("memory    about").unwrap();
    let result = call.stdout.find("frozen weights: 4 tensors, bit-for-bit unchanged").unwrap();
    assert!(plan < call.stdout.find("epoch     loss").unwrap() && result < call.stdout.find("report: run").unwrap());
    assert_eq!(call.stdout.matches("\ntime      estimated total ").count(), 1, "{}", call.stdout);
}

#[test]
fn quiet_prints_only_the_table() {
    let call = Place::new().run("--quiet").call;
    assert!(call.stdout.starts_with("validation accuracy "), "{}", call.stdout);
    assert!(call.stdout.lines().count() < 11 && call.stderr.is_empty());
}

#[test]
fn with_json_standard_output_is_only_json() {
    let place = Place::new();
    let run = place.run("--json");
    let printed: Value = serde_json::from_str(&run.call.stdout).unwrap();
    assert_eq!(printed, run.summary());
    assert!(run.call.stderr.contains("validation accuracy "));
    let run = Place::new().run("--json --quiet");
    assert_eq!(serde_json::from_str::<Value>(&run.call.stdout).unwrap(), run.summary());
    assert_eq!(run.call.stderr, "");
}

#[test]
fn the_default_run_folder_is_named_by_date() {
    let place = Place::new();
    for _ in 0..2 {
        assert_eq!(place.call_run("--quiet").code, Some(0));
    }
    let runs = names(&place.path("runs"));
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|name| name.starts_with("20") && name.len() >= "2026-11-24-101502".len()), "{runs:?}");
}

#[test]
fn sizes_that_do_not_divide_evenly_work() {
    // A last batch of one picture; a batch larger than the data; kernels and pools that do not divide the input.
    for flags in ["--limit 33", "--batch-size 500", "--kernel 5 --pool 3", "--kernel 1 --pool 32", "--limit 1"] {
        let run = Place::new().run(flags);
        assert_eq!(run.summary()["frozen_unchanged"], true, "{flags}");
    }
}

#[test]
fn both_models_learn() {
    let run = Place::new().run("--data built-in --limit 400 --epochs 8 --filters 16 --dense 32");
    let summary = run.summary();
    let last = |model: &str| summary[model]["history"][7]["val_accuracy"].as_f64().unwrap();
    // Chance is one in five.
    assert!(last("model_1") > 0.35 && last("model_2") > 0.35, "{} {}", last("model_1"), last("model_2"));
    assert_eq!(summary["data"]["kind"], "built-in pictures");
}
