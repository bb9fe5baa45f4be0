//! The settings of a sweep and the recipe of an arm reach the training.

use super::{
    worker::{find, perform_with},
    *,
};
use crate::sweep::{arms::Recipe, plan, record::JobRecord};

/// An arm of each way to train: a head on pretrained and on initial features, and the whole network.
const ARMS: [&str; 3] = ["frozen", "frozen-random", "scratch"];

/// The records of some arms, and of the stage 1 that they need.
fn trained(settings: &SweepSettings, data: &Data, arms: &[Arm]) -> Vec<JobRecord> {
    let place = tempfile::tempdir().unwrap();
    perform_with(settings, place.path(), data, plan::jobs(arms, &[3]))
}

fn losses(record: &JobRecord) -> Vec<f64> {
    record.history.iter().map(|epoch| epoch.loss).collect()
}

#[test]
fn each_setting_changes_every_loss() {
    let data = data(8);
    let default = settings(&data);
    let expected = trained(&default, &data, &arms(&ARMS));
    assert_eq!(expected.len(), ARMS.len() + 1, "and stage 1");
    for (setting, changed) in [
        ("schedule", SweepSettings { schedule: Schedule::Constant, ..default.clone() }),
        ("learning_rate", SweepSettings { learning_rate: 0.002, ..default.clone() }),
        ("batch_size", SweepSettings { batch_size: 8, ..default.clone() }),
        ("flip", SweepSettings { augment: Augment { flip: true, crop: false }, ..default.clone() }),
        ("crop", SweepSettings { augment: Augment { flip: false, crop: true }, ..default.clone() }),
    ] {
        for (found, expected) in trained(&changed, &data, &arms(&ARMS)).iter().zip(&expected) {
            assert_eq!(found.arm, expected.arm);
            let same = losses(found).iter().zip(&losses(expected)).filter(|(a, b)| a == b).count();
            assert_eq!(same, 0, "{setting}: {} has losses of the default", found.arm.name);
        }
    }
}

#[test]
fn each_stage_has_its_own_number_of_epochs() {
    let data = data(8);
    let settings = SweepSettings { source_epochs: 3, epochs: 1, ..settings(&data) };
    let records = trained(&settings, &data, &arms(&["frozen", "scratch", "scratch-long"]));
    let epochs = |name: &str| find(&records, name).history.len();
    assert_eq!(["pretrain-source", "frozen", "scratch", "scratch-long"].map(epochs), [3, 1, 1, 4]);
}

#[test]
fn a_recipe_replaces_the_learning_rate_and_the_schedule_of_the_settings() {
    let data = data(8);
    let recipe = Recipe { learning_rate: 0.002, schedule: Schedule::Constant };
    let own = settings(&data);
    let replaced = SweepSettings { learning_rate: recipe.learning_rate, schedule: recipe.schedule, ..own.clone() };
    let plain = arms(&["frozen-random", "scratch"]);
    let with_recipe: Vec<Arm> = plain.iter().map(|arm| Arm { recipe: Some(recipe), ..arm.clone() }).collect();
    let [by_recipe, by_settings, without] = [(&own, &with_recipe), (&replaced, &plain), (&own, &plain)]
        .map(|(settings, arms)| trained(settings, &data, arms));
    for ((by_recipe, by_settings), without) in by_recipe.iter().zip(&by_settings).zip(&without) {
        assert_eq!(by_recipe.history, by_settings.history, "{}", by_recipe.arm.name);
        assert_ne!(losses(by_recipe), losses(without), "{}", by_recipe.arm.name);
    }
}
