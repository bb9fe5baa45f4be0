//! 13. A new arm.

use thawline::sweep::arms::{Arm, Scope};

/// The arm `first-block`: only the first block of the source's features is copied; all layers are trained, at a tenth
/// of the learning rate, on 50 pictures of each target class; the head is fresh.
pub fn first_block(scope: Scope) -> Arm {
    todo!()
}
