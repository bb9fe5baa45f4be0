//! The page of an adaptation: how well a new head tells a user's own pictures apart, and where it errs.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{Markup, html};

use super::{
    curves::{Chart, Measure},
    networks, page,
    palette::Ink,
    table::{self, NOTHING, Row, confusion_caption, facts, table},
};
use crate::{
    data::{open::BUILT_IN, png},
    record::{
        adaptation::{Adaptation, Candidate, ClassCount, Duplicates, Mistake},
        scores::Scores,
    },
    system::number,
};

/// The maximum number of mistakes shown, and of groups of duplicates in a list.
pub const MISTAKES: usize = 36;

/// The whole `report.html` of an adaptation; the most confident mistakes come first.
pub fn render(record: &Adaptation, mistakes: &[Mistake]) -> String {
    let title = match record.classes.len() {
        ..=6 => format!("Telling {} apart", page::enumeration(record.classes.iter().map(|class| class.name.as_str()))),
        many => format!("A classifier for {many} classes of pictures"),
    };
    let (scores, confusion) = record.headline();
    let main = html! {
        @if !record.frozen_unchanged {
            (page::notice("The frozen weights have changed.", "They must stay identical bit for bit: this model is invalid."))
        }
        (lead(record, scores))
        (classes(record, scores))
        h2 { "Confusion matrix" }
        figure {
            (table::confusion(confusion, Ink::Model2))
            figcaption { (confusion_caption(if record.test.is_some() { "Test pictures" } else { "Held-out pictures" })) }
        }
        (most_confident_mistakes(mistakes, record.cross_validation.is_some() && record.test.is_none()))
        (duplicates(record))
        (fitting(record))
        h2 { "The network" }
        (networks::summary(&record.model.network))
        (caveats(record))
        (reproduction(record))
    };
    let kicker = page::kicker(&record.thawline, &record.environment, record.config.seed);
    page::document(&title, &kicker, &main, &format!("Written by Thawline {}.", record.thawline))
}

/// The result, then what it rests on.
fn lead(record: &Adaptation, scores: &Scores) -> Markup {
    let percent = number::percent_briefly;
    let [low, high] = scores.interval.map(percent);
    let pictures = number::count(scores.pictures);
    let (measured, by_folds) = match (&record.test, &record.cross_validation) {
        (Some(_), _) => (format!("{pictures} test pictures, from which the head did not learn,"), String::new()),
        (None, Some(fit)) => (
            format!("{pictures} pictures"),
            format!(", each by a head trained on the other {} of {} folds", fit.folds - 1, fit.folds),
        ),
        (None, None) => (format!("{pictures} held-out pictures"), String::new()),
    };
    html! {
        p.lead {
            strong { (percent(scores.accuracy)) } " of " (measured) " are classified correctly" (by_folds) " (95\u{a0}% interval "
            (low) " to " (high) "). Always naming the largest class would score " (percent(scores.largest_class)) "."
        }
        p {
            "The frozen features come from a model trained on "
            @if record.config.from == BUILT_IN { "drawings of " }
            (page::enumeration(record.features.classes.iter().map(String::as_str))) ". A new head of "
            (number::count(record.model.network.trainable)) " parameters was trained on "
            (number::count(record.training())) " pictures in " (number::duration(record.model.total_seconds)) ". "
            "Balanced accuracy, the mean recall of the classes, is " (percent(scores.balanced_accuracy)) ". "
            "The mean confidence, the probability of the predicted class, is " (percent(scores.confidence)) "."
            @if record.test.is_some() {
                " On the held-out training pictures, accuracy is " (percent(record.held_out.accuracy)) "."
            }
        }
        @if scores.interval[0] <= scores.largest_class {
            (page::caveat("Perhaps nothing was learned.",
                "The accuracy is not clearly above that of always naming the largest class."))
        }
        @if (scores.accuracy - scores.balanced_accuracy).abs() > 0.05 {
            (page::caveat("Unequal classes.",
                html! {
                    "Accuracy counts the large classes most; see the recall of each class."
                    @if !record.config.balanced { " With --balanced all classes count equally in training." }
                }))
        }
        @if record.duplicates.iter().any(|group| group.leak()) {
            (page::caveat("The same picture twice.",
                "Some pictures that the head learned from are also among those it is scored on, \
                 which inflates the accuracy; they are listed below."))
        }
    }
}

fn classes(record: &Adaptation, scores: &Scores) -> Markup {
    let percent = |share: Option<f64>| share.map_or_else(|| NOTHING.to_owned(), number::percent_briefly);
    let counts = |class: &ClassCount| [class.validation, class.test, class.skipped];
    let used = |column: &usize| record.classes.iter().any(|class| counts(class)[*column] > 0);
    let columns: Vec<usize> = (0..3).filter(used).collect();
    let rows = record.classes.iter().zip(&scores.classes).map(|(class, scores)| -> Row {
        let mut cells =
            vec![class.name.clone(), percent(scores.recall), percent(scores.precision), number::count(class.training)];
        cells.extend(columns.iter().map(|&column| number::count(counts(class)[column])));
        ("", cells)
    });
    let mut head = vec!["class", "recall", "precision", "training"];
    head.extend(columns.iter().map(|&column| ["held out", "test", "skipped"][column]));
    html! {
        (table(1, &head, rows))
        p.note {
            "Recall: the share of a class's pictures that are assigned to it. "
            "Precision: the share of the pictures assigned to a class that belong to it."
        }
        @if columns.contains(&2) {
            p { "Files that are damaged, unsupported or not pictures were skipped; " code { "pictures.csv" } " lists each with the reason." }
        }
    }
}

/// How the head was trained: the penalties of a linear head, the epochs of a dense one.
fn fitting(record: &Adaptation) -> Markup {
    let chart = |title: &str, measure: Measure| {
        let curves = measure.of_model("", Ink::Model2, &record.model.history);
        Chart::by_epoch(title.to_owned(), measure, curves.into()).draw()
    };
    let Some(fit) = &record.cross_validation else {
        return html! {
            h2 { "Training" }
            (page::figure(&chart("accuracy in %", Measure::Accuracy),
                "Accuracy by epoch: bold on the held-out pictures after the epoch, thin on the training pictures, averaged over the \
                 epoch, while the weights still improve."))
            (page::figure(&chart("loss (cross-entropy)", Measure::Loss),
                "Mean cross-entropy by epoch. Where the bold curve turns upwards, the head begins to overfit."))
        };
    };
    let rows = fit.candidates.iter().map(|candidate| -> Row {
        let Candidate { penalty, loss, accuracy } = candidate;
        let chosen = if *penalty == fit.penalty { "chosen" } else { "" };
        ("", vec![penalty.to_string(), format!("{loss:.3}"), number::percent_briefly(*accuracy), chosen.to_owned()])
    });
    html! {
        h2 { "The head" }
        p {
            "Softmax regression on " (number::count(fit.features as u64)) " averaged features per picture, with the L2 "
            "penalty that has the lowest loss on held-out pictures. Each fold is predicted with the penalty and the "
            "temperature that are best on the other folds. The final head's logits are divided by a temperature of "
            (format!("{:.2}", fit.temperature)) ", which minimizes the loss on the held-out pictures."
        }
        (table(0, &["penalty", "held-out loss", "held-out accuracy", ""], rows))
    }
}

/// Pictures that occur more than once, those with contradicting labels first.
fn duplicates(record: &Adaptation) -> Markup {
    let (conflicts, copies): (Vec<_>, Vec<_>) = record.duplicates.iter().partition(|group| group.conflict());
    let list = |groups: &[&Duplicates]| {
        html! {
            ul { @for group in groups.iter().take(MISTAKES) {
                li { @for (index, picture) in group.pictures.iter().enumerate() { @if index > 0 { ", " } (picture.file) } }
            } }
            @if groups.len() > MISTAKES {
            p { "and " (number::count((groups.len() - MISTAKES) as u64)) " more; see " code { "pictures.csv" } "." }
        }
        }
    };
    html! {
        @if !conflicts.is_empty() {
            h2 { "One picture in two classes" }
            p { "One of the labels must be wrong." }
            (list(&conflicts))
        }
        @if !copies.is_empty() {
            h2 { "The same picture twice" }
            @if record.cross_validation.is_some() && !copies.iter().any(|group| group.leak()) {
                p { "Cross-validation keeps copies in one fold, so none is classified by a head that learned from its copy." }
            }
            (list(&copies))
        }
    }
}

/// The most confident mistakes, as the network saw them.
fn most_confident_mistakes(mistakes: &[Mistake], cross_validated: bool) -> Markup {
    let shown = &mistakes[..mistakes.len().min(MISTAKES)];
    let pictures: Vec<String> =
        shown.iter().map(|mistake| BASE64_STANDARD.encode(png::picture(&mistake.pixels))).collect();
    let gallery = shown.iter().zip(&pictures).map(|(mistake, picture)| page::Mistake {
        class: &mistake.class,
        predicted: &mistake.predicted,
        probability: f64::from(mistake.probability),
        picture,
        origin: mistake.file.clone(),
        file_name: mistake.file.rsplit(['/', '\\']).next(),
        map: mistake.map.as_ref(),
    });
    html! {
        h2 { "Most confident mistakes" }
        @if mistakes.is_empty() {
            p { "None: all pictures are classified correctly." }
        } @else {
            p {
                @if mistakes.len() > MISTAKES {
                    "The " (MISTAKES) " most confident of " (number::count(mistakes.len() as u64)) " mistakes, as the network saw them."
                } @else {
                    "Every mistake, as the network saw it, the most confident first."
                }
                " Check whether any are mislabelled."
            }
            @if shown.iter().any(|mistake| mistake.map.is_some()) {
                p.note {
                    "Below each picture: orange supports the predicted class, blue counts against it."
                    @if cross_validated { " The maps are those of the final head, which has since learned from these pictures." }
                }
            }
            (page::mistakes(gallery))
        }
    }
}

fn caveats(record: &Adaptation) -> Markup {
    let small = "The network sees only the central square of each picture, scaled down. It cannot use details that are lost in scaling.";
    let sample = "The accuracy and its interval hold for pictures like these: taken by the same people, in the same places. \
                  If several show the same object or moment, make the folders train and test yourself and keep those pictures in one of them.";
    let folds = "Cross-validation scores heads that learned from fewer pictures than the final one, which may be a little better.";
    let other = "Given a picture of something else, the model still names one of these classes, perhaps with a high probability.";
    let cross_validated = record.cross_validation.is_some() && record.test.is_none();
    page::caveats([
        (true, "Small pictures.", small.to_owned()),
        (true, "Pictures like these.", sample.to_owned()),
        (cross_validated, "Fewer pictures.", folds.to_owned()),
        (true, "No other classes.", other.to_owned()),
    ])
}

fn reproduction(record: &Adaptation) -> Markup {
    let facts_of_run = [
        ("machine", page::machine(&record.environment)),
        ("features", format!("{}, SHA-256 {}", record.config.from, record.features.sha256)),
    ];
    let settings = serde_json::to_value(&record.config).map_or_else(|_| Vec::new(), |value| page::settings("", &value));
    let levels = page::same_bits(&record.config.simd);
    let same = format!(
        "With the same pictures, features, seed and version, every number but the times is the same, {levels}."
    );
    html! {
        (page::reproduction(&[page::command_line(&record.command)], &same))
        (facts(facts_of_run.map(|(name, fact)| (name.to_owned(), fact)).into_iter().chain(settings)))
    }
}
