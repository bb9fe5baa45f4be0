//! Settings files.

use std::fs;

use crate::invocation::{Place, small_run};

#[test]
fn a_run_can_be_repeated_from_its_config() {
    for flags in ["--seed 7 --dropout 0.1,0.3 --learning-rate 0.002 --head warm", "--model own.toml --freeze conv2d_1"]
    {
        let place = Place::new();
        let own = r#"layers = [
            { type = "Conv2D", filters = 4, kernel_size = 3, strides = 2, activation = "relu" },
            { type = "Flatten" },
            { type = "Dense", name = "last" },
        ]"#;
        fs::write(place.path("own.toml"), own).unwrap();
        let first = place.run(flags);
        // The config needs no other file than the pictures.
        fs::remove_file(place.path("own.toml")).unwrap();
        fs::rename(place.path("run"), place.path("first")).unwrap();
        let call = place.call(["--config", "first/config.toml", "--out", "run"]);
        assert_eq!(call.code, Some(0), "{flags}: {}", call.stderr);
        for name in ["config.toml", "weights-model_1.safetensors", "weights-model_2.safetensors"] {
            let again = fs::read(place.path("run").join(name)).unwrap();
            assert!(again == first.read(name), "{flags}: {name} differs");
        }
    }
}

#[test]
fn a_config_contains_the_path_and_hash_of_its_features() {
    let place = Place::new();
    place.run("--filters 4 --dense 6");
    fs::rename(place.path("run"), place.path("first")).unwrap();
    let second = place.run("--from first/weights-model_1.safetensors --filters 4 --dense 6 --target 3-7 --partial");
    fs::rename(place.path("run"), place.path("second")).unwrap();
    let again = ["--config", "second/config.toml", "--out", "run"];
    let call = place.call(again);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    for name in ["config.toml", "weights-model_2.safetensors"] {
        assert!(fs::read(place.path("run").join(name)).unwrap() == second.read(name), "{name} differs");
    }
    fs::remove_dir_all(place.path("run")).unwrap();
    fs::copy(place.path("first/weights-model_2.safetensors"), place.path("first/weights-model_1.safetensors")).unwrap();
    let call = place.call(again);
    call.assert_refused("the file has changed since the run began: expected SHA-256");
    let call = place.call([&again[..], &["--from", "first/weights-model_2.safetensors"]].concat());
    assert_eq!(call.code, Some(0), "another file, named on the command line: {}", call.stderr);
}

#[test]
fn the_config_lists_classes_by_label() {
    let place = Place::new();
    let call = place.call(["data", "synth", "named", "--train", "100", "--test", "50"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let names = "Cat\n7\nsmall, grey\nsun\ntree\ncat\n0-3\nkey\nmushroom\numbrella\n";
    fs::write(place.path("named/batches.meta.txt"), names).unwrap();
    let first = place.run("--data named --source 4,1-3 --target 5-9");
    let config = str::from_utf8(first.read("config.toml")).unwrap();
    assert!(config.contains("source = \"4,1-3\"\ntarget = \"5-9\"\n"), "{config}");
    let labels = |summary: &serde_json::Value| -> Vec<u64> {
        let classes = summary["target"]["classes"].as_array().unwrap();
        classes.iter().map(|class| class["label"].as_u64().unwrap()).collect()
    };
    assert_eq!(labels(&first.summary()), [5, 6, 7, 8, 9]);

    // The written settings, and those of an older version, which wrote names.
    let old = config.replace("\"4,1-3\"", "\"Cat,sun\"").replace("\"5-9\"", "\"cat,Key\"");
    for (settings, expected) in [(config.to_owned(), &[5, 6, 7, 8, 9][..]), (old, &[5, 7])] {
        fs::write(place.path("settings.toml"), &settings).unwrap();
        fs::rename(place.path("run"), place.path(&format!("run-{}", place.names().len()))).unwrap();
        let again = place.finished(place.call(["--config", "settings.toml", "--out", "run"]));
        assert_eq!(labels(&again.summary()), expected, "{settings}");
        assert_eq!(again.weights()[1] == first.weights()[1], settings == config);
        // `eval` finds a model's classes by name.
        let line = ["eval", "--data", "named", "--json", "--from", "run/weights-model_2.safetensors"];
        let scores: serde_json::Value = serde_json::from_str(&place.call(line).stdout).unwrap();
        assert_eq!(scores["examples"], 5 * expected.len());
    }
}

/// The `config.toml` of a run with this settings file and these flags.
fn resolved(settings: &str, flags: &[&str]) -> toml::Table {
    let place = Place::new();
    let data = small_run("").into_iter().nth(2).unwrap();
    fs::write(place.path("settings.toml"), format!("data = {data:?}\nlimit = 8\nepochs = 1\n{settings}\n")).unwrap();
    fs::write(place.path("flat.toml"), r#"layers = [{ type = "Flatten" }, { type = "Dense" }]"#).unwrap();
    let call = place.call([&["run", "--config", "settings.toml", "--out", "run"], flags].concat());
    assert_eq!(call.code, Some(0), "{settings} {flags:?}: {}", call.stderr);
    fs::read_to_string(place.path("run/config.toml")).unwrap().parse().unwrap()
}

#[test]
fn flags_override_the_file() {
    let config = resolved("filters = 3\ndense = 4\nbatch-size = 6\nquiet = true", &["--dense", "5"]);
    assert_eq!(config["filters"], toml::Value::from(vec![3, 3]));
    assert_eq!((&config["dense"], &config["batch-size"]), (&5.into(), &6.into()));
    // Even if the flag excludes a setting of the file.
    let config =
        resolved("filters = [3, 4]\nfreeze = \"flatten_1\"", &["--model", "flat.toml", "--freeze", "flatten_1"]);
    assert!(!config.contains_key("filters") && config["layers"].as_array().unwrap().len() == 2);
    let own = "[[layers]]\ntype = \"Flatten\"\n[[layers]]\ntype = \"Dense\"";
    let config = resolved(own, &["--filters", "2", "--dense", "3"]);
    assert!(!config.contains_key("layers"));
    assert_eq!(config["filters"], toml::Value::from(vec![2, 2]));
}

#[test]
fn errors_name_the_file_the_line_and_the_key() {
    let place = Place::new();
    for (text, words) in [
        ("seed = 1\nepoch = 3", "line 2: unknown setting 'epoch'; expected one of preset, data, labels, source, "),
        ("config = \"x\"", "line 1: unknown setting 'config'"),
        ("epochs = 3\nepochs = 4", "line 2: epochs occurs twice"),
        ("\n\nepochs = 0", "line 3: invalid value '0' for '--epochs <N>': expected a whole number, at least 1"),
        ("learning-rate = \"fast\"", "line 1: invalid value 'fast' for '--learning-rate <RATE>'"),
        ("epochz = false", "line 1: unknown setting 'epochz'"),
        ("epochs = false", "line 1: '--epochs <N>' needs a value"),
        ("from-sha256 = 5", "line 1: from-sha256: expected a quoted string"),
        ("quiet = 1", "line 1: quiet: expected true or false"),
        ("epochs = true", "line 1: '--epochs <N>' needs a value"),
        ("epochs = [[1]]", "line 1: epochs: expected a number, a quoted string, true, false, or a list"),
        ("filters = [1, 2, 3]", "line 1: invalid value '1,2,3' for '--filters <N[,N]>'"),
        ("epochs = ", "line 1: expected a value after the ="),
        ("epochs = 9223372036854775808", "line 1: the number is too large"),
        ("data = \"C:\\users\"", "line 1: unknown backslash escape: write a path in 'single"),
        ("dense = 3\nlayers = [{ type = \"Flatten\" }]", "line 2: layers cannot be used with"),
        ("layers = 3", "line 1: expected a list, found 3"),
        ("seed = 1\n\n[[layers]]\ntype = \"Conv\"", "line 3: Conv: 'Conv' is unknown; expected one of Conv2D"),
    ] {
        fs::write(place.path("wrong.toml"), text).unwrap();
        let call = place.call(["run", "--config", "wrong.toml"]);
        call.assert_refused(&format!("error: --config: wrong.toml, {words}"));
    }
    fs::write(place.path("wrong.toml"), "source = 1\nfrom = \"x\"").unwrap();
    let call = place.call(["--config", "wrong.toml"]);
    let words = "error: --config: wrong.toml: the argument '--from <FILE>' cannot be used with '--source <CLASSES>'";
    assert!(call.code == Some(2) && call.stderr.starts_with(words), "{}", call.stderr);
    let call = place.call(["--config", "nowhere.toml"]);
    assert!(call.stderr.contains("--config: nowhere.toml: no such file"), "{}", call.stderr);
}
