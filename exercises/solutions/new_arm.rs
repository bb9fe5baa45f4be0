use thawline::sweep::arms::{Arm, Scope, TrainedLayers, named};

pub fn first_block(scope: Scope) -> Arm {
    let frozen = named("frozen", scope).expect("the arm that others vary");
    Arm {
        name: "first-block".to_owned(),
        blocks: 1,
        training: TrainedLayers::Everything(0.1),
        per_class: Some(50),
        ..frozen
    }
}
