//! Invalid weight files and checkpoints.

use std::fs;

use safetensors::SafeTensors;
use serde_json::{Value, json};
use thawline::{
    system::hash::sha256,
    weights::{checkpoint::Checkpoint, model::Model},
};

use crate::invocation::{Place, archive, files};

const CHECKPOINT: &str = "run/checkpoint-model_1.safetensors";

/// A run that can be resumed from its only checkpoint, and the bytes of that checkpoint.
fn resumable() -> (Place, Vec<u8>) {
    let place = Place::new();
    place.run("");
    for name in ["report.html", "summary.json", "weights-model_1.safetensors", "weights-model_2.safetensors"] {
        fs::remove_file(place.path("run").join(name)).unwrap();
    }
    // The best epoch's file is a checkpoint, including moments.
    fs::rename(place.path("run/best-model_1.safetensors"), place.path(CHECKPOINT)).unwrap();
    let bytes = fs::read(place.path(CHECKPOINT)).unwrap();
    image::RgbImage::new(32, 32).save(place.path("picture.png")).unwrap();
    (place, bytes)
}

/// Asserts that models, features and checkpoints are refused with these words if they have these bytes.
fn assert_refused(place: &Place, bytes: &[u8], words: &str) {
    let bad = place.path("bad");
    fs::write(&bad, bytes).unwrap();
    let opened = [Model::open(&bad).map(drop), Model::open_features(&bad).map(drop), Checkpoint::open(&bad).map(drop)];
    for failure in opened.map(Result::unwrap_err) {
        assert_eq!((failure.exit_code(), failure.message.lines().count()), (2, 1), "{failure}");
        assert!(failure.message.contains("bad: ") && failure.message.contains(words), "{words}: {failure}");
    }
}

#[test]
fn every_command_refuses_an_invalid_model() {
    let (place, whole) = resumable();
    let bytes = changed(&whole, |header, _| header["conv2d_1/bias"]["dtype"] = "I32".into());
    fs::write(place.path(CHECKPOINT), &bytes).unwrap();
    fs::write(place.path("bad"), &bytes).unwrap();
    let data = archive().to_str().unwrap();
    let before = files(&place.path(""));
    for (line, file) in [
        (vec!["run", "--resume", "run", "--quiet"], CHECKPOINT),
        (vec!["run", "--from", "bad", "--out", "new", "--data", data], "bad"),
        (vec!["eval", "--from", "bad", "--data", data], "bad"),
        (vec!["predict", "--from", "bad", "picture.png"], "bad"),
        (vec!["adapt", "run", "--from", "bad", "--out", "new"], "bad"),
        (vec!["features", "bad", "--out", "new"], "bad"),
        (vec!["export", "--format", "torch", "--from", "bad", "--out", "new"], "bad"),
    ] {
        let call = place.call(&line);
        assert_eq!((call.code, &*call.stdout), (Some(2), ""), "{line:?}: {}", call.stderr);
        assert_eq!(call.stderr.lines().count(), 1, "{line:?}: {}", call.stderr);
        let words = format!("{file}: does not hold the network that it describes: tensor conv2d_1/bias: expected F32");
        assert!(call.stderr.starts_with("error: ") && call.stderr.contains(&words), "{line:?}: {}", call.stderr);
        assert!(files(&place.path("")) == before, "{line:?} wrote something");
    }
}

/// The header and the data of a file.
fn parts(bytes: &[u8]) -> (String, Vec<u8>) {
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let (header, data) = bytes[8..].split_at(length);
    (String::from_utf8(header.to_vec()).unwrap(), data.to_vec())
}

/// A file of this header and data with a valid seal, so that only its actual fault can be detected.
fn sealed(header: &str, data: &[u8]) -> Vec<u8> {
    const BEFORE: &str = r#"\"sha256\":\""#;
    let mut header = header.to_owned();
    let digits = header.find(BEFORE).unwrap() + BEFORE.len();
    header.replace_range(digits..digits + 64, &"0".repeat(64));
    let mut bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    let hash = sha256([&bytes]);
    bytes[8 + digits..][..64].copy_from_slice(hash.as_bytes());
    bytes
}

/// The file after a change of its header and its data.
fn changed(bytes: &[u8], change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> Vec<u8> {
    let (header, mut data) = parts(bytes);
    let mut header = serde_json::from_str(&header).unwrap();
    change(&mut header, &mut data);
    sealed(&header.to_string(), &data)
}

/// Where a tensor's bytes start and end.
fn offsets(header: &Value, name: &str) -> [usize; 2] {
    [0, 1].map(|end| header[name]["data_offsets"][end].as_u64().unwrap() as usize)
}

#[test]
fn invalid_layouts_are_refused() {
    let (place, whole) = resumable();
    // Nested too deeply, inside the sealed metadata.
    let nested = changed(&whole, |header, _| {
        let text = header["__metadata__"]["thawline"].as_str().unwrap();
        let open = text.strip_suffix('}').unwrap();
        header["__metadata__"]["thawline"] = format!("{open},\"more\":{}", "[".repeat(10_000)).into();
    });
    assert_refused(&place, &nested, "its metadata cannot be read: ");
    let many = changed(&whole, |header, data| {
        for number in 0..100_000 {
            let at = data.len();
            header[format!("none_{number:05}")] = json!({"dtype": "F32", "shape": [0], "data_offsets": [at, at]});
        }
    });
    assert_refused(&place, &many, "tensor none_00000 is not part of the network; 99999 more");

    let (header, data) = parts(&whole);
    let [name, parsed] = ["conv2d_1/bias".to_owned(), header.clone()];
    let entry = format!("\"{name}\":{}", serde_json::from_str::<Value>(&parsed).unwrap()[&name]);
    let twice = format!("{},{entry}}}", header.trim_end().strip_suffix('}').unwrap());
    assert_refused(&place, &sealed(&twice, &data), "conv2d_1/bias occurs twice");

    // The first two tensors by their offsets.
    let first = |header: &Value| {
        let tensors = header.as_object().unwrap().keys().filter(|name| *name != "__metadata__");
        let mut tensors: Vec<(usize, String)> = tensors.map(|name| (offsets(header, name)[0], name.clone())).collect();
        tensors.sort();
        [tensors[0].1.clone(), tensors[1].1.clone()]
    };
    let overlapping = changed(&whole, |header, _| {
        let [first, second] = first(header);
        header[&second]["data_offsets"] = header[&first]["data_offsets"].clone();
    });
    assert_refused(&place, &overlapping, "is damaged: ");
    let holed = changed(&whole, |header, data| {
        let [first, _] = first(header);
        let [_, end] = offsets(header, &first);
        data.splice(end..end, [0; 4]);
        for (name, tensor) in header.as_object_mut().unwrap().iter_mut().filter(|(name, _)| *name != "__metadata__") {
            let places = &mut tensor["data_offsets"];
            if *name != first {
                *places = json!([places[0].as_u64().unwrap() + 4, places[1].as_u64().unwrap() + 4]);
            }
        }
    });
    assert_refused(&place, &holed, "is damaged: ");
    let longer = changed(&whole, |_, data| data.extend([0; 4]));
    assert_refused(&place, &longer, "its header describes a different length than its ");
    for shape in [json!([1_u64 << 40, 1_u64 << 40]), json!([u64::MAX, 2]), json!([1_u64 << 62])] {
        let absurd = changed(&whole, |header, _| header["conv2d_1/bias"]["shape"] = shape);
        assert_refused(&place, &absurd, "is damaged: ");
    }
}

#[test]
fn tensors_that_do_not_match_the_network_are_refused() {
    let (place, whole) = resumable();
    let kind = changed(&whole, |header, _| header["conv2d_1/bias"]["dtype"] = "I32".into());
    assert_refused(&place, &kind, "tensor conv2d_1/bias: expected F32, found I32");
    let kind = changed(&whole, |header, _| header["conv2d_1/bias/adam_v"]["dtype"] = "U32".into());
    assert_refused(&place, &kind, "tensor conv2d_1/bias/adam_v: expected F32, found U32");
    for name in ["conv2d_1/kernel", "conv2d_1/kernel/adam_m"] {
        let shape = changed(&whole, |header, _| header[name]["shape"] = json!([8, 3, 3, 3]));
        assert_refused(&place, &shape, &format!("tensor {name}: expected 3 x 3 x 3 x 8, found 8 x 3 x 3 x 3"));
    }
    for name in ["dense_2/bias", "dense_2/bias/adam_m", "dense_2/bias/adam_v"] {
        let missing = changed(&whole, |header, data| {
            let [from, to] = offsets(header, name);
            data.drain(from..to);
            let tensors = header.as_object_mut().unwrap();
            tensors.remove(name).unwrap();
            for (_, tensor) in tensors.iter_mut().filter(|(name, _)| *name != "__metadata__") {
                let places = [0, 1].map(|end| tensor["data_offsets"][end].as_u64().unwrap() as usize);
                tensor["data_offsets"] = json!(places.map(|at| if at >= to { at - (to - from) } else { at }));
            }
        });
        assert_refused(&place, &missing, &format!("tensor {name} (5) is missing"));
    }
    for name in ["dense_3/bias", "conv2d_1/bias/adam_w"] {
        let extra = changed(&whole, |header, data| {
            let at = data.len();
            header[name] = json!({"dtype": "F32", "shape": [1], "data_offsets": [at, at + 4]});
            data.extend([0; 4]);
        });
        assert_refused(&place, &extra, &format!("tensor {name} is not part of the network"));
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for name in ["dense_1/bias", "dense_1/bias/adam_m", "dense_1/bias/adam_v"] {
            let broken = changed(&whole, |header, data| {
                let [from, _] = offsets(header, name);
                data[from + 8..][..4].copy_from_slice(&value.to_le_bytes());
            });
            assert_refused(&place, &broken, &format!("tensor {name}: value 2 is {value}; expected finite numbers"));
        }
    }
}

#[test]
fn a_valid_checkpoint_is_accepted() {
    let (place, whole) = resumable();
    // Splitting and sealing the file changes only the order of the names.
    let same = changed(&whole, |_, _| {});
    let [original, rebuilt] = [&whole, &same].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    assert!(
        original.len() > 20 && original.tensors().iter().all(|(name, tensor)| rebuilt.tensor(name).unwrap() == *tensor)
    );
    fs::write(place.path("bad"), &same).unwrap();
    fs::write(place.path(CHECKPOINT), &same).unwrap();
    for line in ["predict --from bad picture.png", "features bad --out new", "run --resume run"] {
        let call = place.call(line.split(' '));
        assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
    }
}

#[test]
fn another_version_is_distinguished_from_damage() {
    let (place, whole) = resumable();
    let newer = changed(&whole, |header, _| {
        let text = header["__metadata__"]["thawline"].as_str().unwrap().replace("\"format\":1", "\"format\":2");
        header["__metadata__"]["thawline"] = text.into();
    });
    assert_refused(&place, &newer, "has format 2; this version of the program reads format 1");
    let older = changed(&whole, |header, _| {
        let ours = format!("\"thawline\":\"{}\"", env!("CARGO_PKG_VERSION"));
        let text = header["__metadata__"]["thawline"].as_str().unwrap().replace(&ours, "\"thawline\":\"0.0.9\"");
        header["__metadata__"]["thawline"] = text.into();
    });
    fs::write(place.path(CHECKPOINT), older).unwrap();
    let call = place.call(["run", "--resume", "run", "--quiet"]);
    call.assert_refused(&format!("{CHECKPOINT}: was written by version 0.0.9, but this is "));
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert_refused(&place, &flipped(whole.len() - 1), "is damaged, or was changed by another program: its seal is");
    assert_refused(&place, &whole[..whole.len() / 2], "is truncated or damaged");
}

#[test]
fn weights_whose_outputs_overflow_end_with_code_4() {
    let (place, whole) = resumable();
    let huge = changed(&whole, |_, data| *data = 3e38f32.to_le_bytes().repeat(data.len() / 4));
    fs::write(place.path("bad"), huge).unwrap();
    for (line, words) in [
        ("predict --from bad picture.png", "error: picture.png: the model's outputs are not finite numbers"),
        ("predict --from bad --format json picture.png", "not finite numbers"),
        (
            &format!("eval --from bad --data {}", archive().display()),
            "error: test picture 1: the model's outputs are not finite",
        ),
    ] {
        let call = place.call(line.split(' '));
        assert_eq!((call.code, &*call.stdout), (Some(4), ""), "{line}: {}", call.stderr);
        assert!(call.stderr.contains(words) && call.stderr.lines().count() == 1, "{line}: {}", call.stderr);
    }
}
