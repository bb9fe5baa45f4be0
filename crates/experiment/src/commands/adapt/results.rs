//! What `adapt` says about a trained head.

use std::{collections::HashMap, path::Path};

use serde::Serialize;
use thawline_tensor::nn::Network;

use crate::{
    commands::scores::{by_class, summary},
    data::own::collection::{Collection, Entry, Set},
    record::{
        adaptation::{Adaptation, Duplicates, Mistake},
        pictures::Pixels,
    },
    report,
    system::{
        console::Text,
        failure::Result,
        number::{self, percent_briefly},
        path_text, spreadsheet,
    },
    training::{explanation::activation_map, predictions::Guess},
    weights::model::MODEL_FILE,
};

/// `pictures.csv`: every file with its set, and the predicted class of those that were scored.
pub fn table(pictures: &Collection, sets: [(Set, &Vec<Vec<Guess>>); 2], duplicates: &[Duplicates]) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Row<'a> {
        file: String,
        class: &'a str,
        set: &'static str,
        predicted: Option<&'a str>,
        probability: Option<f32>,
        same_as: Option<&'a str>,
        reason: Option<&'a str>,
    }
    let mut originals = HashMap::new();
    for group in duplicates {
        let (first, copies) = group.pictures.split_first().expect("a group has two pictures or more");
        originals.extend(copies.iter().map(|copy| (copy.file.as_str(), first.file.as_str())));
    }
    let mut guesses = sets.map(|(set, guesses)| (set, guesses.iter()));
    let rows = pictures.entries.iter().map(|entry| {
        let guess = guesses.iter_mut().find(|(set, _)| entry.picture.is_ok() && *set == entry.set);
        let guess = guess.and_then(|(_, guesses)| guesses.next()).map(|guesses| guesses[0]);
        let file = path_text::printable(&entry.path);
        Row {
            class: &pictures.classes[entry.class],
            set: entry.set(),
            predicted: guess.map(|guess| pictures.classes[guess.class].as_str()),
            probability: guess.map(|guess| guess.probability),
            same_as: originals.get(file.as_str()).copied(),
            reason: entry.picture.as_ref().err().map(String::as_str),
            file,
        }
    });
    spreadsheet::table(rows.collect::<Vec<_>>())
}

/// The mistakes among the pictures of a set, the most confident first. If the head is linear, those that the report
/// shows have class activation maps.
pub fn mistakes(pictures: &Collection, set: Set, guesses: &[Vec<Guess>], network: &Network) -> Vec<Mistake> {
    let name = |class: usize| pictures.classes[class].clone();
    let wrong = pictures.of(set).zip(guesses).map(|(picture, guesses)| (picture, guesses[0]));
    let mut wrong: Vec<_> = wrong.filter(|((entry, _), guess)| guess.class != entry.class).collect();
    wrong.sort_by(|(_, a), (_, b)| b.probability.total_cmp(&a.probability));
    let mistake = |(index, ((entry, pixels), guess)): (usize, ((&Entry, &Pixels), Guess))| {
        let map = (index < report::MISTAKES).then(|| activation_map(network, pixels, guess.class)).flatten();
        Mistake {
            file: path_text::printable(&entry.path),
            class: name(entry.class),
            predicted: name(guess.class),
            probability: guess.probability,
            pixels: pixels.into(),
            map: map.map(|(map, _)| map),
        }
    };
    wrong.into_iter().enumerate().map(mistake).collect()
}

/// The result, as printed on the terminal.
pub fn text(record: &Adaptation, folder: &Path) -> Text {
    let (scores, _) = record.headline();
    let held_out = match &record.cross_validation {
        Some(fit) => {
            format!("{}-fold cross-validation of {} pictures", fit.folds, number::count(record.held_out.pictures))
        }
        None => format!("{} held-out pictures", number::count(record.held_out.pictures)),
    };
    let heading = match &record.test {
        Some(test) => format!("on {} test pictures", number::count(test.scores.pictures)),
        None if record.cross_validation.is_some() => format!("by {held_out}"),
        None => format!("on {held_out}"),
    };
    let mut text = Text::heading(format!("accuracy {} {heading}", number::percent(scores.accuracy)));
    text.push(summary(scores));
    if record.test.is_some() {
        text.push(format!("{held_out}: accuracy {}", percent_briefly(record.held_out.accuracy)));
    }
    if scores.interval[0] <= scores.largest_class {
        text.push(Text::verdict("The accuracy is not clearly above that of always naming the largest class.", false));
    }
    text.push("");
    text.push(by_class(scores));
    text.push("");
    if !record.frozen_unchanged {
        text.push(Text::verdict("THE FROZEN WEIGHTS CHANGED: see frozen in summary.json", false));
    }
    text.push(format!("report: {}", folder.join("report.html").display()));
    text.push(format!("model:  {}", folder.join(MODEL_FILE).display()));
    text.and(format!("use it: thawline predict --from {} PICTURE...", path_text::argument(folder)))
}
