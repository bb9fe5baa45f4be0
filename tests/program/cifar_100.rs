//! CIFAR-100: its fine and coarse labels, and features transferred from CIFAR-10.

use thawline_cifar::{Dataset, Format, Images, PIXEL_BYTES};

use crate::invocation::{Call, Place, archive, small_run};

/// Each of a hundred classes has three training pictures and one test picture. Class `n` belongs to coarse class
/// `n % 20`, which decides the pictures' shade.
fn write_cifar_100(place: &Place) {
    let images = |each: usize| {
        let records = (0..100 * each).flat_map(|i| {
            let fine = i % 100;
            let mut record = vec![(fine % 20 * 12) as u8; 2 + PIXEL_BYTES];
            record[..2].copy_from_slice(&[(fine % 20) as u8, fine as u8]);
            record
        });
        Images::from_records(Format::Cifar100, records.collect()).unwrap()
    };
    let names = |kind: &str, count: usize| (0..count).map(|n| format!("{kind}_{n}")).collect();
    let data = Dataset::new(Format::Cifar100, images(3), images(1), names("fine", 100), names("coarse", 20));
    let file = std::fs::File::create(place.path("hundred.tar.gz")).unwrap();
    data.unwrap().write_archive_to(file).unwrap();
}

fn on_the_hundred(place: &Place, flags: &str) -> Call {
    place.call(small_run(&format!("--out run {flags} --data hundred.tar.gz")))
}

fn names(classes: &serde_json::Value) -> Vec<&str> {
    classes.as_array().unwrap().iter().map(|class| class["name"].as_str().unwrap()).collect()
}

#[test]
fn fine_labels_are_the_default() {
    let place = Place::new();
    write_cifar_100(&place);
    let call = on_the_hundred(&place, "--source 0-4 --target fine_99,57");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let summary = place.summary("run");
    assert_eq!(names(&summary["target"]["classes"]), ["fine_99", "fine_57"]);
    assert_eq!(summary["target"]["train_examples"], 6, "three pictures of each fine class");
}

#[test]
fn a_coarse_class_has_the_pictures_of_five_fine_ones() {
    let place = Place::new();
    write_cifar_100(&place);
    let call = on_the_hundred(&place, "--labels coarse --source 0-9 --target coarse_19,10");
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let summary = place.summary("run");
    assert_eq!(names(&summary["target"]["classes"]), ["coarse_19", "coarse_10"]);
    assert_eq!(summary["target"]["train_examples"], 30, "fifteen pictures of each coarse class");
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    assert!(config.contains("labels = \"coarse\""), "{config}");

    let line = "eval --from run/weights-model_2.safetensors --data hundred.tar.gz --json --labels coarse";
    let call = place.call(line.split(' '));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let scores: serde_json::Value = serde_json::from_str(&call.stdout).unwrap();
    assert_eq!(scores["examples"], 10, "five test pictures of each coarse class");
    let last = summary["model_2"]["history"].as_array().unwrap().last().unwrap()["val_accuracy"].clone();
    assert_eq!(scores["accuracy"], last);
}

#[test]
fn features_transfer_from_cifar_10_to_cifar_100() {
    let place = Place::new();
    write_cifar_100(&place);
    place.run("");
    std::fs::rename(place.path("run"), place.path("ten")).unwrap();
    let from = "--from ten/weights-model_1.safetensors";
    let line =
        format!("run --epochs 1 --batch-size 16 --out run {from} --data hundred.tar.gz --labels coarse --target 0-3");
    let call = place.call(line.split(' '));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let summary = place.summary("run");
    assert_eq!(names(&summary["target"]["classes"]), ["coarse_0", "coarse_1", "coarse_2", "coarse_3"]);
    assert_eq!(summary["from"]["classes"].as_array().unwrap().len(), 5);
    assert_eq!(summary["frozen_unchanged"], true);
}

#[test]
fn cifar_10_has_no_coarse_labels() {
    let place = Place::new();
    let call = place.call(small_run(&format!("--out run --labels coarse --data {}", archive().display())));
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("no coarse labels") && call.stderr.contains("small.tar.gz"), "{}", call.stderr);
    assert!(!place.path("run").exists());
    let call = place.call(["run", "--labels", "middling"]);
    call.assert_refused("middling");
}

#[test]
fn a_sweep_takes_its_source_classes_from_cifar_100() {
    let place = Place::new();
    write_cifar_100(&place);
    let small = "--source-data hundred.tar.gz --seeds 0 --epochs 1 --batch-size 16 --filters 2 --dense 4 --no-times";
    let data = archive().to_str().unwrap();
    let line = format!("sweep --data {data} --out sweep --labels coarse --arms frozen,scratch,reversed {small}");
    let call = place.call(line.split(' '));
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let record = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(place.path(&format!("sweep/jobs/{name}-seed-0.json"))).unwrap()).unwrap()
    };
    let classes = |name: &str| record(name)["classes"].as_array().unwrap().len();
    assert_eq!([classes("pretrain-source"), classes("frozen"), classes("reversed")], [20, 5, 20]);
    assert_eq!(record("pretrain-source")["classes"][19], "coarse_19");
    let report = std::fs::read_to_string(place.path("sweep/report.html")).unwrap();
    assert!(report.contains("--source-data hundred.tar.gz --labels coarse"));
}
