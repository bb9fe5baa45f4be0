//! The page of an adaptation: how well a new head tells a user's own pictures apart, and where it errs.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{Markup, html};

use super::{
    curves::{Chart, Measure},
    networks, page,
    palette::Ink,
    table::{Row, confusion, confusion_caption, facts, share, table},
};
use crate::{
    data::png,
    record::adaptation::{Adaptation, Mistake},
    system::number,
};

/// The most mistakes that are shown.
const MISTAKES: usize = 36;

/// The whole `report.html` of an adaptation; the most confident mistakes come first.
pub fn render(record: &Adaptation, mistakes: &[Mistake]) -> String {
    let title = match record.classes.len() {
        ..=6 => format!("Telling {} apart", number::listed(record.classes.iter().map(|class| class.name.as_str()))),
        many => format!("Telling {many} classes of pictures apart"),
    };
    let chart = |title: &str, measure: Measure| {
        let curves = measure.of_model("", Ink::Model2, &record.model.history);
        Chart::by_epoch(title.to_owned(), measure, curves.into()).draw()
    };
    let main = html! {
        @if !record.frozen_unchanged {
            (page::notice("The frozen weights have changed.", "They must stay identical bit for bit: this model is invalid."))
        }
        (lead(record))
        (classes(record))
        h2 { "Accuracy" }
        (page::figure(&chart("accuracy in %", Measure::Accuracy),
            "Accuracy by epoch: bold on the held-out pictures, thin on the training pictures while dropout is on."))
        h2 { "Loss" }
        (page::figure(&chart("loss (cross-entropy)", Measure::Loss),
            "Mean cross-entropy by epoch. Where the bold curve turns upwards, the head begins to overfit."))
        h2 { "Confusion matrix" }
        figure {
            (confusion(&record.model.confusion, Ink::Model2))
            figcaption { (confusion_caption("The held-out pictures")) }
        }
        (worst(record, mistakes))
        h2 { "The network" }
        (networks::summary(&record.model.network))
        (caveats())
        (reproduction(record))
    };
    let kicker = page::kicker(&record.thawline, &record.environment, record.config.seed);
    page::document(&title, &kicker, &main, &format!("Written by Thawline {}.", record.thawline))
}

/// How many held-out pictures of each class were right, and how many there are.
fn diagonal(record: &Adaptation) -> impl Iterator<Item = (u64, u64)> {
    record.model.confusion.counts.iter().enumerate().map(|(class, row)| (row[class], row.iter().sum()))
}

fn lead(record: &Adaptation) -> Markup {
    let (right, all) = diagonal(record).fold((0, 0), |(right, all), (r, a)| (right + r, all + a));
    html! {
        p.lead {
            "Using frozen features from a model trained on " (number::listed(record.features.classes.iter().map(String::as_str)))
            ", a new head of " (number::count(record.model.network.trainable)) " weights learned from "
            (number::count(record.training())) " pictures in " (number::duration(record.model.total_seconds)) ". It classified "
            (number::count(right)) " of " (number::count(all)) " held-out pictures correctly: "
            strong { (number::percent_briefly(share(right, all))) } ". Guessing would give "
            (number::percent_briefly(1.0 / record.classes.len() as f64)) "."
        }
        @if all < 200 {
            (page::caveat("Few pictures.", format!(
                "Each held-out picture counts {:.1}\u{a0}points: a different --seed gives a different accuracy.", 100.0 * share(1, all))))
        }
        @if record.duplicates > 0 {
            (page::caveat("The same picture twice.", format!(
                "{} of the held-out pictures are also in the training set, which inflates the accuracy.",
                number::count(record.duplicates))))
        }
    }
}

fn classes(record: &Adaptation) -> Markup {
    let skipped = record.classes.iter().any(|class| class.skipped > 0);
    let rows = record.classes.iter().zip(diagonal(record)).map(|(class, (right, all))| -> Row {
        let right = format!("{} ({})", number::count(right), number::percent_briefly(share(right, all)));
        let mut cells = vec![class.name.clone(), number::count(class.training), number::count(class.validation), right];
        cells.extend(skipped.then(|| number::count(class.skipped)));
        ("", cells)
    });
    let head = ["class", "training", "held out", "classified correctly", "skipped"];
    html! {
        (table(1, &head[..if skipped { 5 } else { 4 }], rows))
        @if skipped {
            p { "Files that are damaged, or not pictures, were skipped; " code { "pictures.csv" } " says why, for each." }
        }
    }
}

/// The most confident mistakes, as the network saw them.
fn worst(record: &Adaptation, mistakes: &[Mistake]) -> Markup {
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
    });
    html! {
        h2 { "Most confident mistakes" }
        @if mistakes.is_empty() {
            p { "None: all " (number::count(record.validation())) " held-out pictures are classified correctly." }
        } @else {
            p {
                @if mistakes.len() > MISTAKES {
                    "The " (MISTAKES) " most confident of " (number::count(mistakes.len() as u64)) ", as the network saw them."
                } @else {
                    "All of them, as the network saw them, the most confident first."
                }
                " Check whether any are mislabelled."
            }
            (page::mistakes(gallery))
        }
    }
}

fn caveats() -> Markup {
    let small =
        "The network sees only the central square of each picture, at this size; details lost there cannot help.";
    let other =
        "Shown a picture of something else, it still names one of these classes, perhaps with a high probability.";
    page::caveats([(true, "32 × 32 pixels.", small.to_owned()), (true, "No other classes.", other.to_owned())])
}

fn reproduction(record: &Adaptation) -> Markup {
    let facts_of_run = [
        ("machine", page::machine(&record.environment)),
        ("features", format!("{}, SHA-256 {}", record.config.from, record.features.sha256)),
    ];
    let settings = serde_json::to_value(&record.config).map_or_else(|_| Vec::new(), |value| page::settings("", &value));
    let same = "With the same pictures, features, seed, version and SIMD level, every number but the times comes out the same.";
    html! {
        (page::reproduction(&[page::command_line(&record.command)], same))
        (facts(facts_of_run.map(|(name, fact)| (name.to_owned(), fact)).into_iter().chain(settings)))
    }
}
