//! Untrusted models, networks and folders are refused at once and with little memory.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    process::Command,
};

use serde_json::{Value, json};
use thawline::weights::tensor_file;

use crate::{
    invocation::{Place, archive},
    memory::{limited, loadable},
};

#[test]
fn every_command_refuses_pipes_devices_and_sparse_files() {
    let place = Place::new();
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    File::create(place.path("sparse")).unwrap().set_len(1 << 40).unwrap();
    let line = format!("sweep --seeds 0 --arms pixels --epochs 1 --out done --data {}", archive().display());
    assert_eq!(place.call(line.split(' ')).code, Some(0));
    for (path, words) in
        [("pipe", "is a pipe"), ("/dev/zero", "is a pipe, a device"), ("sparse", "has 1,099,511,627,776")]
    {
        for (folder, file) in [("old", "config.toml"), ("swept", "sweep.json")] {
            let _ = fs::remove_dir_all(place.path(folder));
            fs::create_dir(place.path(folder)).unwrap();
            symlink(place.path(path), place.path(folder).join(file)).unwrap();
        }
        for line in [
            "run --config FILE",
            "run --model FILE",
            "run --from FILE",
            "run --resume old",
            "summary --model FILE",
            "adapt . --from FILE",
            "predict --from FILE picture.png",
            "eval --from FILE",
            "features FILE",
            "export --format torch --out new --from FILE",
            "import FILE --classes a,b --out new",
            "report swept",
            "sweep --seeds 0 --arms pixels --data DATA --out swept",
        ] {
            let line = line.replace("FILE", path).replace("DATA", archive().to_str().unwrap());
            let call = place.call(line.split(' '));
            call.assert_refused(words);
        }
        // A folder that is neither a sweep nor a report on this one.
        fs::create_dir_all(place.path("out")).unwrap();
        fs::write(place.path("out/arms.csv"), "").unwrap();
        for file in ["sweep.json", "report.json"] {
            let link = place.path("out").join(file);
            symlink(place.path(path), &link).unwrap();
            place.call(["report", "done", "--out", "out"]).assert_refused("and is not part of a report on this sweep");
            fs::remove_file(link).unwrap();
        }
    }
}

/// A sealed model file with these layers and all values 0.01.
fn model(kind: &str, layers: &Value, frozen: &[&str], tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let names = layers.as_array().unwrap().iter().map(|layer| [layer["name"].clone(), layer["type"].clone()]);
    let metadata = json!({
        "format": 1, "thawline": "0.1.0", "model": kind, "seed": 1, "classes": ["fish", "house"], "input": [32, 32, 3],
        "network": {"conv-method": "auto", "layers": layers}, "layers": names.collect::<Vec<_>>(), "frozen": frozen,
    });
    let values: Vec<Vec<f32>> = tensors.iter().map(|(_, shape)| vec![0.01; shape.iter().product()]).collect();
    let tensors = tensors.iter().zip(&values).map(|((name, shape), values)| ((*name).to_owned(), *shape, &values[..]));
    tensor_file::to_bytes(tensors, &metadata).unwrap()
}

/// A model with few parameters and large activations: a 1 x 1 convolution and the mean of each channel.
fn wide_model(channels: usize) -> Vec<u8> {
    let layers = json!([
        {"type": "Conv2D", "name": "c", "filters": channels, "kernel_size": 1},
        {"type": "GlobalAveragePooling2D", "name": "g"},
        {"type": "Dense", "name": "d"},
    ]);
    let tensors: [(&str, &[usize]); 4] =
        [("c/kernel", &[1, 1, 3, channels]), ("c/bias", &[channels]), ("d/kernel", &[channels, 2]), ("d/bias", &[2])];
    model("model_1", &layers, &[], &tensors)
}

#[test]
fn files_that_claim_to_be_huge_cost_little_memory() {
    let place = Place::new();
    let head = json!([
        {"type": "Conv2D", "name": "c", "filters": 1, "kernel_size": 3},
        {"type": "Flatten", "name": "f"},
        {"type": "Dense", "name": "d", "units": 1_000_000},
        {"type": "Dense", "name": "e"},
    ]);
    let tensors: [(&str, &[usize]); 2] = [("c/kernel", &[3, 3, 3, 1]), ("c/bias", &[1])];
    fs::write(place.path("head"), model("features", &head, &["c"], &tensors)).unwrap();
    // The features end at the first dense layer, and one of their layers is missing.
    let two = json!([
        {"type": "Conv2D", "name": "c", "filters": 1, "kernel_size": 3},
        {"type": "Conv2D", "name": "b", "filters": 1, "kernel_size": 3},
        {"type": "Flatten", "name": "f"},
        {"type": "Dense", "name": "e"},
    ]);
    fs::write(place.path("part"), model("features", &two, &["c"], &tensors)).unwrap();
    fs::write(place.path("wide"), wide_model(300_000)).unwrap();
    let layers = r#"{type = "Activation", activation = "relu"}, "#.repeat(20_000);
    fs::write(place.path("deep.toml"), format!(r#"layers = [{layers}{{type = "Flatten"}}, {{type = "Dense"}}]"#))
        .unwrap();
    let data = archive().display();
    let least = loadable();
    let kib = least + 150_000;
    for (line, words) in [
        ("adapt . --from head --threads 1".to_owned(), "the head would have 903,000,002 parameters"),
        ("features head --out new".to_owned(), "the head would have 903,000,002 parameters"),
        ("adapt . --from part --threads 1".to_owned(), "tensor b/kernel is missing"),
        (format!("eval --from wide --data {data} --threads 1"), "would take 1.23 GB for each picture"),
        ("predict --from wide picture.png --threads 1".to_owned(), "would take 1.23 GB for each picture"),
    ] {
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        limited(&place, kib, &line).assert_refused(words);
    }
    // 32 MB of outputs for each picture; those of all forty together would exceed the limit.
    fs::write(place.path("wide"), wide_model(8_000)).unwrap();
    let line = format!("eval --from wide --data {data} --threads 1 --limit 40");
    let call = limited(&place, least + 1_000_000, &line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    // `summary` needs only the description.
    for line in ["summary --model deep.toml", "summary --dense 79000"] {
        let call = place.prompt(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
        let call = limited(&place, kib, &line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
    }
}

#[test]
fn huge_headers_are_refused() {
    let (place, kib) = (Place::new(), loadable() + 500_000);
    let entry = |number: usize| format!(r#""{number}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
    let tensors: Vec<String> = (0..200_000).map(entry).collect();
    // Nine tensors of u64::MAX bytes in all, to which the header's length cannot be added.
    let most = (1_u64 << 61) - 1;
    let sizes = (0..8).map(|number| (number * most, most)).chain([(8 * most, 7)]);
    let endless = sizes.zip('a'..).map(|((start, size), name)| {
        format!(r#""{name}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{}]}}"#, start + size)
    });
    let notes: Vec<String> = (0..500_000).map(|number| format!(r#""{number}":"""#)).collect();
    for (header, words) in [
        (format!("{{{}}}", tensors.join(",")), "has no metadata of this program"),
        (format!(r#"{{"__metadata__":{{{}}}}}"#, notes.join(",")), "has no metadata of this program"),
        (format!("{{{}}}", endless.collect::<Vec<_>>().join(",")), "its header describes a different length"),
        (format!("{{{}", "[".repeat(15_000_000)), "its header is not that of a safetensors file"),
        (" ".repeat(16_000_001), "expected at most 16,000,000"),
    ] {
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        fs::write(place.path("bad"), bytes).unwrap();
        let line = ["predict", "--from", "bad", "picture.png", "--threads", "1"].map(str::to_owned);
        limited(&place, kib, &line).assert_refused(words);
    }
}
