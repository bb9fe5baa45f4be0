//! The sweep on tiny data: what its protocol promises, its plan, its folder, and its worker.

mod comparison;
mod folder;
mod plan;
mod protocol;
mod record;
mod settings;
mod worker;

use thawline_cifar::{Dataset, Images};

use super::{
    arms::{Arm, named, tests::SCOPE},
    settings::SweepSettings,
};
use crate::{
    data::open::{self, Data},
    models::TutorialNetwork,
    record::{
        data::{ClassRecord, DataKind},
        options::{Augment, Labels, Schedule},
    },
};
use thawline_drawings::{SEED, Size};

/// Built-in pictures: `per_class` training pictures of each class, and four test pictures.
fn data(per_class: usize) -> Data {
    let dataset = open::draw(SEED, Size { train: 10 * per_class, test: 40 }).unwrap();
    Data { dataset, kind: DataKind::BuiltIn, path: None, reason: "drawn by a test".to_owned() }
}

/// The same data with the test pictures in reverse order, so that their labels no longer match.
fn with_another_test_set(data: &Data) -> Data {
    let dataset = &data.dataset;
    let labels = || dataset.test().iter().map(|image| image.label);
    let pixels = dataset.test().iter().map(|image| image.pixels).collect::<Vec<_>>().into_iter().rev();
    let records = labels().zip(pixels).flat_map(|(label, pixels)| std::iter::once(label).chain(pixels.iter().copied()));
    let test = Images::from_records(dataset.format(), records.collect()).unwrap();
    let train = Images::from_records(dataset.format(), records_of(dataset.train())).unwrap();
    let dataset = Dataset::new(dataset.format(), train, test, dataset.classes().to_vec(), Vec::new()).unwrap();
    Data { dataset, kind: data.kind, path: None, reason: data.reason.clone() }
}

fn records_of(images: &Images) -> Vec<u8> {
    images.iter().flat_map(|image| std::iter::once(image.label).chain(image.pixels.iter().copied())).collect()
}

/// A small network, two epochs, batches of 16.
fn settings(data: &Data) -> SweepSettings {
    let names = data.dataset.classes();
    let record = |label: u16| ClassRecord { label, name: names[usize::from(label)].clone() };
    SweepSettings {
        format: super::record::FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        data: data.record(),
        source_data: None,
        labels: Labels::Fine,
        source: (0..5).map(record).collect(),
        target: (5..10).map(record).collect(),
        per_class: None,
        network: TutorialNetwork { filters: [3, 4], dense: 8, ..TutorialNetwork::default() }.into(),
        source_epochs: 2,
        epochs: 2,
        learning_rate: 0.001,
        schedule: Schedule::Cosine,
        augment: Augment::default(),
        tuning_seed: None,
        batch_size: 16,
        arithmetic: "fma".to_owned(),
    }
}

/// An arm by its name; `@N` limits it to N pictures per class.
fn arm(name: &str) -> Arm {
    let (base, per_class) = name.split_once('@').map_or((name, None), |(base, n)| (base, Some(n.parse().unwrap())));
    Arm { name: name.to_owned(), per_class, ..named(base, SCOPE).unwrap() }
}

fn arms(names: &[&str]) -> Vec<Arm> {
    names.iter().map(|name| arm(name)).collect()
}
