//! The fuzz targets: functions that pass untrusted bytes to the program and must return without a panic for any input.
//! The fuzzer calls them with generated inputs, `tests/corpus.rs` with those of the corpus.

use std::{
    io::{Cursor, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use thawline::{
    commands::settings_file,
    data::{classes, own},
    models::{Architecture, TutorialNetwork, file},
    record::{config::Config, pictures::ReportPictures, run::RunRecord},
    report,
    sweep::{arms, merge::Results, record::JobRecord, settings::SweepSettings},
    weights::{
        checkpoint::Checkpoint,
        exchange::{self, Framework},
        features::Features,
        model::Model,
        tensor_file::{self, TensorFile},
    },
};
use thawline_cifar::{Dataset, Format, Images};

/// A function that parses bytes.
pub type Target = fn(&[u8]);

/// The targets, from the outermost to the innermost.
pub const ALL: [(&str, Target); 14] = [
    ("gzip", gzip),
    ("tar", tar),
    ("records", records),
    ("safetensors", safetensors),
    ("model", model),
    ("features", features),
    ("import", import),
    ("config", config),
    ("settings", settings),
    ("lists", lists),
    ("network", network),
    ("run", run),
    ("sweep", sweep),
    ("picture", picture),
];

/// An archive.
fn gzip(bytes: &[u8]) {
    read(bytes);
}

/// The tar archive inside gzip.
fn tar(bytes: &[u8]) {
    read(&compressed(bytes));
}

/// The contents of one file, chosen by the first byte, in an otherwise valid archive.
fn records(bytes: &[u8]) {
    let Some((&choice, contents)) = bytes.split_first() else { return };
    let format = if choice & 0x80 == 0 { Format::Cifar10 } else { Format::Cifar100 };
    let _ = Images::from_records(format, contents.to_vec());
    let files: &[&str] = match format {
        Format::Cifar10 => &["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin", "batches.meta.txt"],
        Format::Cifar100 => &["train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"],
    };
    let chosen = files[usize::from(choice & 0x7f) % files.len()];
    let mut archive = Vec::new();
    for (name, right) in small(format) {
        entry(&mut archive, name, if name == chosen { contents } else { &right });
    }
    archive.extend([0; 1024]);
    read(&compressed(&archive));
}

/// A weights file.
fn safetensors(bytes: &[u8]) {
    if let Ok(model) = Model::from_bytes(bytes) {
        assert!(model.to_bytes().is_ok(), "a model that was read cannot be written");
    }
    if let Ok(checkpoint) = Checkpoint::from_bytes(bytes) {
        assert_eq!(checkpoint.model.metadata, Model::from_bytes(bytes).expect("a checkpoint is a model").metadata);
    }
    let Ok(file) = TensorFile::parse(bytes) else { return };
    for name in file.header.names() {
        let shape = file.header.shape(name).unwrap_or_default();
        let _ = file.values(name, &shape);
    }
}

/// The metadata of a weights file with a valid seal.
fn model(bytes: &[u8]) {
    let Some(file) = sealed(bytes) else { return };
    let _ = Model::from_bytes(&file);
    let _ = Checkpoint::from_bytes(&file);
}

/// The metadata of a features file, and a new head on them.
fn features(bytes: &[u8]) {
    let Some(features) = sealed(bytes).and_then(|file| Features::from_bytes(&file).ok()) else { return };
    if let Ok((_, mut network)) = features.attach_head(3)
        && network.summary().parameters() < 50_000
    {
        let _ = features.fill(&mut network, 1);
    }
    assert!(features.to_bytes().is_ok(), "a model that was read cannot be written");
}

/// A small sealed file with these metadata.
fn sealed(metadata: &[u8]) -> Option<Vec<u8>> {
    let metadata = serde_json::from_slice::<serde_json::Value>(metadata).ok()?;
    // The seal comes first in the metadata; a second `sha256` would shadow it.
    if metadata.get("sha256").is_some() || !metadata.is_object() {
        return None;
    }
    let tensors: [tensor_file::Tensor; 2] =
        [("conv2d_1/kernel".to_owned(), &[3, 3, 3, 1], &[0.5; 27]), ("conv2d_1/bias".to_owned(), &[1], &[0.5])];
    tensor_file::to_bytes(tensors, &metadata).ok()
}

/// Another framework's weights, imported into a small network.
fn import(bytes: &[u8]) {
    let Ok(file) = TensorFile::parse(bytes) else { return };
    let Ok(framework) = Framework::of(&file) else { return };
    let small = TutorialNetwork { filters: [1, 1], pool: 14, dense: 1, ..TutorialNetwork::default() };
    let small = Architecture::from(small);
    let mut network = small.build(2, 1).expect("the small network is valid");
    let _ = exchange::import(&mut network, &small, &file, framework, None);
}

/// A settings file for `--config`, or of a run that is resumed.
fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = settings_file::read(Path::new("settings.toml"), text);
}

/// Lists on the command line: classes, arms, seeds.
fn lists(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let names = ["cat", "dog", "0-1", "a,b", ""].map(str::to_owned);
    if let Ok(list) = classes::parse("--classes", text, &names) {
        assert!(list.len() >= 2 && list.len() <= names.len());
    }
    let _ = arms::select(text, arms::Scope { blocks: 3, features: 2, splits: 3 });
    let _ = arms::parse_seeds(text);
}

/// `config.toml` of a run.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = toml::from_str::<Config>(text) else { return };
    build(&config.network);
}

/// A network file.
fn network(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(listed) = file::parse(Path::new("network.toml"), text, false) else { return };
    build(&Architecture::Listed(listed));
}

/// The record of a run, and its report.
fn run(bytes: &[u8]) {
    let Ok(record) = RunRecord::from_json(bytes) else { return };
    let _ = record.to_json();
    report::plots(&record);
    report::render(&record, &report::Grids::new(&record, &ReportPictures::default()));
}

/// The settings of a sweep and the record of one of its jobs, separated by an empty line, and the report on both.
fn sweep(bytes: &[u8]) {
    let Some(middle) = bytes.windows(2).position(|two| two == b"\n\n") else { return };
    let Ok(settings) = serde_json::from_slice::<SweepSettings>(&bytes[..middle]) else { return };
    // Skips the seal, which a mutated record would never match.
    let Ok(record) = serde_json::from_slice::<JobRecord>(&bytes[middle..]) else { return };
    if record.check().is_err() {
        return;
    }
    let results = Results { settings, records: vec![record] };
    report::sweep::files(&results, &report::sweep::Options { no_times: false, note: None });
    report::sweep::text(&results, false);
}

/// A user's own picture.
fn picture(bytes: &[u8]) {
    let _ = own::file::decode(Cursor::new(bytes), bytes.len() as u64, 32);
}

fn read(archive: &[u8]) {
    let Ok(dataset) = Dataset::from_archive("fuzzed", archive) else { return };
    assert!(!dataset.train().is_empty() && !dataset.test().is_empty());
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("writing to a Vec does not fail");
    encoder.finish().expect("writing to a Vec does not fail")
}

/// The files of a set with one picture each.
fn small(format: Format) -> Vec<(&'static str, Vec<u8>)> {
    let picture = || vec![0; format.record_bytes()];
    let names = |count: usize| (0..count).map(|label| format!("class{label}\n")).collect::<String>().into_bytes();
    match format {
        Format::Cifar10 => vec![
            ("data_batch_1.bin", picture()),
            ("data_batch_2.bin", picture()),
            ("data_batch_3.bin", picture()),
            ("data_batch_4.bin", picture()),
            ("data_batch_5.bin", picture()),
            ("test_batch.bin", picture()),
            ("batches.meta.txt", names(10)),
        ],
        Format::Cifar100 => vec![
            ("train.bin", picture()),
            ("test.bin", picture()),
            ("fine_label_names.txt", names(100)),
            ("coarse_label_names.txt", names(20)),
        ],
    }
}

/// Appends a plain file in tar's format.
fn entry(archive: &mut Vec<u8>, name: &str, contents: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend(header);
    archive.extend(contents);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// Builds a network if it is small.
fn build(architecture: &Architecture) {
    if architecture.outline(5).is_ok_and(|network| network.summary().parameters() < 50_000) {
        let _ = architecture.build(5, 1);
    }
}
