//! The worker: what it computes, what it shares, and where it resumes.

use std::{fs, path::Path};

use thawline_tensor::nn::Network;

use super::*;
use crate::{
    models::{Architecture, file},
    sweep::{
        arms::{FeatureSource, Stage, assemble},
        cost::ArmCosts,
        folder::{SweepFolder, read_records},
        plan::{self, Job},
        progress::SweepProgress,
        protocol::Pictures,
        record::{Epoch, JobRecord},
        stage1,
        trainer::Trainer,
        tuning,
        worker::Worker,
    },
    system::{console::Console, failure::Result, interrupt::Interrupts},
    weights::model::Model,
};

/// Does jobs in a folder and returns all records in it afterwards, without times and pictures, sorted by name.
fn perform(folder: &Path, data: &Data, jobs: Vec<Job>) -> Vec<JobRecord> {
    perform_with(&settings(data), folder, data, jobs)
}

pub(super) fn perform_with(settings: &SweepSettings, folder: &Path, data: &Data, jobs: Vec<Job>) -> Vec<JobRecord> {
    try_to_perform(settings, folder, data, jobs).unwrap();
    read_records(folder, settings).unwrap().iter().map(JobRecord::reproducible_part).collect()
}

fn try_to_perform(settings: &SweepSettings, folder: &Path, data: &Data, jobs: Vec<Job>) -> Result<()> {
    work_in(settings, folder, data, |worker| worker.perform(plan::groups(jobs)))
}

fn work_in(
    settings: &SweepSettings,
    folder: &Path,
    data: &Data,
    work: impl FnOnce(&mut Worker) -> Result<()>,
) -> Result<()> {
    let progress = &mut SweepProgress::new(Console { quiet: true, stdout_is_data: false }, (1, 1.0));
    work(&mut Worker {
        plan: &[],
        costs: &ArmCosts::new(data, None, settings, &[])?,
        data,
        source_data: None,
        settings,
        folder: &SweepFolder::open(folder, settings).unwrap(),
        keeps_pictures: true,
        interrupts: &Interrupts::default(),
        progress,
    })
}

fn sweep(data: &Data, arms: &[Arm], seeds: &[u64]) -> Vec<JobRecord> {
    let place = tempfile::tempdir().unwrap();
    perform(place.path(), data, plan::jobs(arms, seeds))
}

pub(super) fn find<'a>(records: &'a [JobRecord], name: &str) -> &'a JobRecord {
    records.iter().find(|record| record.arm.name == name).unwrap_or_else(|| panic!("no record of {name}"))
}

#[test]
fn an_arm_on_untrained_features_is_its_control_bit_for_bit() {
    // On untrained features instead of stage 1's, an arm and its control are the same computation, if head, order and
    // dropout are the same.
    let data = data(8);
    let untrained =
        |name: &str| Arm { features: FeatureSource::Untrained, name: format!("{name}-untrained"), ..arm(name) };
    let names = ["frozen", "fine-tune", "depth-1-fine-tune", "depth-1-frozen"];
    let arms: Vec<Arm> = names.iter().map(|name| untrained(name)).chain(arms(&["scratch", "frozen-random"])).collect();
    let records = sweep(&data, &arms, &[4]);
    let result = |name: &str| {
        let record = find(&records, name);
        (record.history.clone(), record.test.clone(), record.mistakes.clone())
    };
    assert_eq!(result("fine-tune-untrained"), result("scratch"));
    assert_eq!(result("depth-1-fine-tune-untrained"), result("scratch"));
    assert_eq!(result("frozen-untrained"), result("frozen-random"));
    assert_ne!(result("frozen-random"), result("scratch"), "what is frozen makes a difference");
    assert_ne!(result("depth-1-frozen-untrained"), result("scratch"));
}

#[test]
fn a_record_does_not_depend_on_other_jobs() {
    let data = data(8);
    let names =
        ["frozen", "frozen-warm", "fine-tune", "frozen@2", "linear", "depth-3-frozen", "head-then-all", "scratch"];
    let together = sweep(&data, &arms(&names), &[0, 1]);
    for name in names {
        let alone = sweep(&data, &arms(&[name]), &[1]);
        let alone = find(&alone, name);
        let same = together.iter().find(|record| record.arm.name == name && record.seed == 1).unwrap();
        assert_eq!(alone, same, "{name}");
    }
    let stage_1 = together.iter().filter(|record| record.arm.stage == Stage::Pretraining);
    let stage_1: Vec<(&str, u64)> = stage_1.map(|record| (record.arm.name.as_str(), record.seed)).collect();
    assert_eq!(stage_1, [("pretrain-source", 0), ("pretrain-source", 1)], "one stage 1 a seed serves all arms");
}

/// The weights that a pretraining has left in a folder.
fn weights(folder: &Path, stage_1: &str, seed: u64) -> Network {
    Model::open(&folder.join(format!("weights/{stage_1}-seed-{seed}.safetensors"))).unwrap().network
}

/// Does an arm's job by hand, from these features. The record must be the same; returns the trained network.
fn by_hand(settings: &SweepSettings, data: &Data, record: &JobRecord, features: Option<&Network>) -> Network {
    let JobRecord { arm, seed, .. } = record;
    let pictures = Pictures::of(arm, settings, data, None).unwrap();
    let epoch = pictures.epoch(arm.per_class, *seed).unwrap();
    let mut network = assemble(arm, &settings.network, pictures.classes.len(), *seed, features).unwrap();
    let trainer = Trainer {
        arm,
        seed: *seed,
        settings,
        pictures: &pictures,
        epoch: &epoch,
        features: None,
        keeps_pictures: false,
    };
    let history = trainer.train(&mut network, &mut |_| Ok(())).unwrap();
    assert_eq!(history.iter().map(Epoch::from).collect::<Vec<_>>(), record.history, "{}", arm.name);
    assert_eq!(trainer.score(&network).0, record.test, "{}", arm.name);
    network
}

/// The filters of the first convolution, each of side x side x 3 weights.
fn filters(network: &Network) -> Vec<Vec<f32>> {
    let (_, kernel) = network.params().find(|(name, _)| name == "conv2d_1/kernel").unwrap();
    let count = *kernel.shape.dims().last().unwrap();
    // Filters are innermost.
    (0..count).map(|filter| kernel.value[filter..].iter().step_by(count).copied().collect()).collect()
}

#[test]
fn frozen_features_stay_those_of_stage_1() {
    let data = data(8);
    let settings = settings(&data);
    let names = ["frozen", "frozen-warm", "fine-tune", "linear", "frozen-random", "frozen-random-matched", "reversed"];
    let place = tempfile::tempdir().unwrap();
    let records = perform(place.path(), &data, plan::jobs(&arms(&names), &[2]));
    let [source, target] = ["pretrain-source", "pretrain-target"].map(|stage_1| weights(place.path(), stage_1, 2));
    let initial = || settings.network.build(5, 2).unwrap();
    let pictures = Pictures::of(&find(&records, "pretrain-source").arm, &settings, &data, None).unwrap();
    let matched = stage1::matched(&settings.network, initial(), &source, &pictures).unwrap();
    for (name, features) in [
        ("frozen", &source),
        ("frozen-warm", &source),
        ("linear", &source),
        ("reversed", &target),
        ("frozen-random", &initial()),
        ("frozen-random-matched", &matched),
    ] {
        let network = by_hand(&settings, &data, find(&records, name), Some(features));
        assert_eq!(filters(&network), filters(features), "{name}");
    }
    let fine_tuned = by_hand(&settings, &data, find(&records, "fine-tune"), Some(&source));
    assert_ne!(filters(&fine_tuned), filters(&source));
    assert_ne!(filters(&source), filters(&target));
    // A matched filter is the initial one, scaled.
    let (initial, matched) = (filters(&initial()), filters(&matched));
    assert_eq!((initial.len(), initial[0].len()), (3, 27));
    for (initial, matched) in initial.iter().zip(&matched) {
        let scale = matched[0] / initial[0];
        assert!((scale - 1.0).abs() > 1e-4, "stage 1 has changed the variance");
        let scaled = |(a, b): (&f32, &f32)| (a * scale - b).abs() <= 1e-5 * b.abs().max(0.1);
        assert!(initial.iter().zip(matched).all(scaled), "{initial:?} {matched:?}");
    }
}

#[test]
fn a_listed_network_and_augmented_pictures_go_through_every_kind_of_arm() {
    let data = data(8);
    let text = r#"layers = [
        { type = "Conv2D", filters = 3, kernel_size = 3 },
        { type = "BatchNormalization" },
        { type = "Activation", activation = "relu" },
        { type = "Conv2D", filters = 4, kernel_size = 3, activation = "relu" },
        { type = "GlobalAveragePooling2D" },
        { type = "Dense", units = 6, activation = "relu" },
        { type = "Dense" },
    ]"#;
    let network = Architecture::Listed(file::parse("own.toml".as_ref(), text, false).unwrap());
    let flip = Augment { flip: true, crop: false };
    let names = ["frozen", "frozen-random-matched", "linear", "pixels", "head-then-all", "depth-1-self", "scratch"];
    for augment in [Augment::default(), flip] {
        let settings =
            SweepSettings { network: network.clone(), augment, schedule: Schedule::OneCycle, ..settings(&data) };
        let place = tempfile::tempdir().unwrap();
        let records = perform_with(&settings, place.path(), &data, plan::jobs(&arms(&names), &[1]));
        let depth = find(&records, "depth-1-self");
        let features = weights(place.path(), "pretrain-target", 1);
        assert_eq!(filters(&by_hand(&settings, &data, depth, Some(&features))), filters(&features));
        assert_eq!((records.len(), depth.frozen), (names.len() + 2, 28 * 3 + 4 * 3));
    }
}

#[test]
fn the_test_set_affects_only_the_score() {
    let data = data(8);
    let other = with_another_test_set(&data);
    let names = ["tutorial", "frozen", "scratch", "fine-tune", "head-then-all", "pixels"];
    let (ours, theirs) = (sweep(&data, &arms(&names), &[0]), sweep(&other, &arms(&names), &[0]));
    for (one, same) in ours.iter().zip(&theirs) {
        assert_eq!(one.arm, same.arm);
        assert_ne!(one.test, same.test, "{}: another test set gives another score", one.arm.name);
        assert_eq!(one.weights, same.weights, "{}", one.arm.name);
        // Only the tutorial looks at the test set along the way.
        let looks = one.arm.name.contains("tutorial");
        assert_eq!(one.history != same.history, looks, "{}", one.arm.name);
        let training = |record: &JobRecord| record.history.iter().map(|epoch| epoch.loss).collect::<Vec<_>>();
        assert_eq!(training(one), training(same), "{}", one.arm.name);
    }
    let tutorial = find(&ours, "tutorial");
    assert_eq!(tutorial.history.last().unwrap().val_accuracy, tutorial.test.accuracy);
}

#[test]
fn weights_of_another_stage_1_are_refused() {
    let data = data(8);
    let place = tempfile::tempdir().unwrap();
    perform(place.path(), &data, plan::jobs(&arms(&["frozen"]), &[0]));
    let weights = place.path().join("weights/pretrain-source-seed-0.safetensors");
    // A valid file of another training run.
    let mut model = Model::open(&weights).unwrap();
    model.network.update_params(|_, param| param.value[0] += 1.0);
    fs::write(&weights, model.to_bytes().unwrap()).unwrap();
    let jobs = plan::jobs(&arms(&["frozen-warm"]), &[0]);
    let failure = try_to_perform(&settings(&data), place.path(), &data, jobs).unwrap_err();
    assert!(failure.message.contains("expected SHA-256") && failure.message.contains("trains it again"), "{failure}");
}

#[test]
fn lost_weights_of_stage_1_are_trained_again() {
    let data = data(8);
    let place = tempfile::tempdir().unwrap();
    perform(place.path(), &data, plan::jobs(&arms(&["frozen"]), &[0]));
    let weights = place.path().join("weights/pretrain-source-seed-0.safetensors");
    let record = place.path().join("jobs/pretrain-source-seed-0.json");
    let [weights_before, record_before] = [&weights, &record].map(|path| fs::read(path).unwrap());
    fs::remove_file(&weights).unwrap();
    // No job needs them: nothing happens.
    perform(place.path(), &data, plan::jobs(&arms(&["frozen"]), &[0]));
    assert!(!weights.exists());

    perform(place.path(), &data, plan::jobs(&arms(&["frozen", "frozen-warm"]), &[0]));
    assert!(fs::read(&weights).unwrap() == weights_before, "the weights are the same");
    assert!(fs::read(&record).unwrap() == record_before, "the first record stays");
    // Once more, but the record asks for other weights.
    fs::remove_file(&weights).unwrap();
    let mut changed = JobRecord::parse(&record_before).unwrap();
    changed.weights = Some("0".repeat(64));
    fs::write(&record, changed.to_json()).unwrap();
    let jobs = plan::jobs(&arms(&["frozen-random-matched"]), &[0]);
    let failure = try_to_perform(&settings(&data), place.path(), &data, jobs).unwrap_err();
    assert!(failure.message.contains("expected SHA-256 000"), "{failure}");
}

#[test]
fn mistakes_are_pictures_of_the_test_set() {
    let data = data(8);
    for record in &sweep(&data, &arms(&["frozen", "pixels", "joint"]), &[5]) {
        let wrong = record.test.examples - (record.test.accuracy * record.test.examples as f64).round() as usize;
        assert_eq!(record.mistakes.len(), wrong.min(8));
        assert!(record.mistakes.is_sorted_by(|a, b| a.confidence >= b.confidence));
        for mistake in &record.mistakes {
            let label = data.dataset.test().get(mistake.index).label;
            assert_eq!(mistake.class, data.dataset.classes()[usize::from(label)]);
        }
        assert_eq!(record.weights.is_some(), record.arm.stage == Stage::Pretraining);
    }
}

#[test]
fn each_tuned_arm_takes_the_best_of_its_own_trials() {
    let data = data(8);
    let arms = arms(&["frozen", "frozen-warm", "scratch-long", "frozen@2", "linear"]);
    let trials = tuning::trials(&arms, 4);
    assert_eq!(trials.len(), 3 * 9, "of frozen, frozen-warm and scratch");
    let place = tempfile::tempdir().unwrap();
    let records: Vec<JobRecord> = perform(place.path(), &data, trials.clone())
        .into_iter()
        .filter(|record| record.arm.stage == Stage::Trial)
        .collect();
    assert_eq!(records.len(), trials.len());
    assert!(records.iter().all(|record| record.history.len() == 2), "a trial has the epochs of one stage");

    let best = |base: &str| {
        let of_base = records.iter().filter(|record| {
            let rest = record.arm.name.strip_prefix(&format!("try-{base}-")).unwrap_or_default();
            rest.starts_with(|first: char| first.is_ascii_digit())
        });
        let accuracy = |record: &&JobRecord| record.history.last().unwrap().val_accuracy;
        let highest = of_base.clone().map(|record| accuracy(&record)).fold(0.0, f64::max);
        of_base.filter(|record| accuracy(record) == highest).map(|record| record.arm.recipe).collect::<Vec<_>>()
    };
    for arm in tuning::with_best_recipes(arms, &records) {
        match arm.name.as_str() {
            "linear" => assert_eq!(arm.recipe, None),
            "scratch-long" => assert!(best("scratch").contains(&arm.recipe)),
            "frozen@2" => assert!(best("frozen").contains(&arm.recipe)),
            name => assert!(best(name).contains(&arm.recipe), "{name}"),
        }
    }
}

#[test]
fn the_chosen_trial_counts_as_the_job_of_its_seed() {
    let data = data(8);
    let settings = settings(&data);
    let arms = arms(&["frozen", "scratch", "scratch-long", "linear"]);
    let place = tempfile::tempdir().unwrap();
    let [tuned, plain] = ["tuned", "plain"].map(|name| place.path().join(name));
    perform(&tuned, &data, tuning::trials(&arms, 4));
    let trials = read_records(&tuned, &settings).unwrap();
    let jobs = plan::jobs(&tuning::with_best_recipes(arms, &trials), &[4, 5]);
    work_in(&settings, &tuned, &data, |worker| worker.adopt(&jobs, &trials)).unwrap();
    let adopted = read_records(&tuned, &settings).unwrap();
    let adopted: Vec<JobRecord> = adopted
        .into_iter()
        .filter(|record| record.arm.stage == Stage::Transfer)
        .map(|record| record.reproducible_part())
        .collect();
    assert_eq!(adopted.iter().map(|record| &*record.arm.name).collect::<Vec<_>>(), ["frozen", "scratch"]);
    let computed = perform(&plain, &data, jobs);
    for record in adopted {
        assert_eq!(record.seed, 4);
        assert!(computed.contains(&record), "{}", record.arm.name);
    }
}
