//! Scores, as printed on the terminal.

use crate::{
    record::scores::Scores,
    system::{
        console::{Text, fitted},
        number::{self, percent_briefly},
    },
};

/// The maximum number of classes listed on the terminal; reports and JSON list all.
pub const MAX_CLASSES: usize = 40;

/// What the accuracy alone does not say.
pub fn summary(scores: &Scores) -> Text {
    let [low, high] = scores.interval.map(|end| format!("{:.1}", 100.0 * end));
    Text::from([
        format!("95 % interval {low} to {high} %; mean confidence {}", percent_briefly(scores.confidence)),
        format!(
            "balanced accuracy {}; always naming the largest class: {}",
            percent_briefly(scores.balanced_accuracy),
            percent_briefly(scores.largest_class)
        ),
    ])
}

/// Precision and recall of each class.
pub fn by_class(scores: &Scores) -> Text {
    let width = scores.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).clamp(5, 24);
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent_briefly);
    let mut text = Text::heading(format!("{:<width$}  pictures   recall  precision", "class"));
    for class in scores.classes.iter().take(MAX_CLASSES) {
        let (name, pictures) = (fitted(&class.name, width), number::count(class.pictures));
        let [recall, precision] = [class.recall, class.precision].map(percent);
        text.push(format!("{name:<width$}  {pictures:>8}  {recall:>7}    {precision:>7}"));
    }
    if scores.classes.len() > MAX_CLASSES {
        text.push(format!("{MAX_CLASSES} of {} classes are listed", scores.classes.len()));
    }
    text
}
