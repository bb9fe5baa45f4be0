//! What `adapt` says before it trains.

use crate::{
    commands::scores::MAX_CLASSES,
    data::{
        open::BUILT_IN,
        own::{
            collection::{Collection, Set},
            folder::Folder,
        },
    },
    record::adaptation::{Duplicates, Origin, Settings},
    system::{
        console::{Text, fitted, listed, shown_path},
        failure::{Failure, Result},
        number, path_text,
    },
};

/// The maximum number of unreadable pictures, and of groups of duplicates of each kind, that the terminal shows;
/// `pictures.csv` has all.
const MAX_LISTED: usize = 20;

/// The features and the pictures, with notes on ignored files, unequal classes and duplicates.
pub fn describe(
    config: &Settings,
    origin: &Origin,
    pictures: &Collection,
    size: usize,
    found: &Folder,
    duplicates: &[Duplicates],
) -> Text {
    let drawings = if config.from == BUILT_IN { "drawings of " } else { "" };
    let features = format!("from {}, a model trained on {drawings}{}", config.from, listed(&origin.classes));
    let scaled = format!("{}, scaled to {size} x {size} pixels", config.folder);
    let mut text = Text::wrapped("features  ", features).and(Text::wrapped("pictures  ", scaled));
    if let Some(test) = &found.test {
        text.push(Text::wrapped("          ", format!("tested on {}", path_text::printable(test))));
    }
    let counts = pictures.counts();
    let width = counts.iter().map(|class| fitted(&class.name, 24).chars().count()).max().unwrap_or(0);
    for class in counts.iter().take(MAX_CLASSES) {
        let mut line = format!("          {:<width$}  {:>5} for training", fitted(&class.name, width), class.training);
        for (number, what) in [(class.validation, "held out"), (class.test, "for testing"), (class.skipped, "skipped")]
        {
            if number > 0 {
                line += &format!(", {number:>4} {what}");
            }
        }
        text.push(line);
    }
    if counts.len() > MAX_CLASSES {
        text.push(format!("          {MAX_CLASSES} of {} classes are listed", counts.len()));
    }
    let mut note = |note: String| text.push(Text::wrapped("          ", note));
    if found.stray_files > 0 {
        note(format!("{} outside the class folders ignored", number::counted(found.stray_files, "file")));
    }
    for (folder, what) in &found.ignored {
        note(format!("{} ignored: {what}", path_text::printable(folder)));
    }
    let sizes = || counts.iter().map(|class| class.training + class.validation);
    if let (Some(least @ 1..), Some(most)) = (sizes().min(), sizes().max())
        && most >= 3 * least
        && !config.balanced
    {
        note(format!(
            "the largest class has {:.1} times the pictures of the smallest; with --balanced both count equally",
            most as f64 / least as f64
        ));
    }
    let (conflicts, copies): (Vec<_>, Vec<_>) = duplicates.iter().partition(|group| group.conflict());
    let mut name = |groups: &[&Duplicates], heading: &str| {
        for group in groups.iter().take(MAX_LISTED) {
            let files: Vec<String> = group.pictures.iter().map(|picture| shown_path(&picture.file)).collect();
            text.push(Text::wrapped(heading, listed(&files)));
        }
        if groups.len() > MAX_LISTED {
            text.push(format!("{heading}{} more, listed in the run folder's pictures.csv", groups.len() - MAX_LISTED));
        }
    };
    name(&conflicts, "one picture in two classes: ");
    name(&copies, "the same picture: ");
    text
}

/// Lists the unreadable pictures.
pub fn skipped(pictures: &Collection) -> Text {
    let mut text = Text::default();
    for (entry, reason) in pictures.skipped().take(MAX_LISTED) {
        text.push(Text::wrapped("skipped   ", format!("{}: {reason}", path_text::printable(&entry.path))));
    }
    let count = pictures.skipped().count();
    if count > MAX_LISTED {
        text.push(format!("skipped   {} more, listed in the run folder's pictures.csv", count - MAX_LISTED));
    }
    text
}

/// With `strict`, fails if a picture is unreadable.
pub fn require_all(pictures: &Collection, strict: bool) -> Result<()> {
    match pictures.skipped().next() {
        Some((entry, reason)) if strict => Err(Failure::usage(format!(
            "--strict: {} of {} files cannot be read; the first: {}: {reason}",
            pictures.skipped().count(),
            pictures.entries.len(),
            path_text::printable(&entry.path)
        ))),
        _ => Ok(()),
    }
}

/// Fails if there are too few pictures to train or test on.
pub fn require_enough(pictures: &Collection, found: &Folder, config: &Settings) -> Result<()> {
    pictures.require_two_of_each().map_err(|failure| failure.within(&config.folder))?;
    if let Some(test) = found.test.as_ref().filter(|_| pictures.of(Set::Test).next().is_none()) {
        return Err(Failure::usage(format!("{}: has no readable pictures to test on", path_text::printable(test))));
    }
    if config.dense.is_none() && pictures.folds(config.seed).iter().all(|&fold| fold == 0) {
        let what = "all training pictures are identical once scaled; expected at least two different ones";
        return Err(Failure::usage(what).within(&config.folder));
    }
    Ok(())
}
