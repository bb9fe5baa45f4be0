//! The answer: three sentences with the numbers in them.

use maud::{Markup, html};

use super::{
    analysis::{Analysis, Pair},
    comparisons,
    numbers::{adjusted_p, agreement, p_value, points, signed, with_half_width},
};
use crate::{record::run::ClassRecord, system::number};

/// The pairs behind the answer: arm, baseline.
const HEADLINE: [[&str; 2]; 5] = [
    ["frozen", "scratch"],
    ["frozen", "frozen-random-matched"],
    ["frozen", "frozen-random"],
    ["fine-tune", "scratch"],
    ["frozen", "frozen-warm"],
];

/// The differences behind the answer, of those pairs that the sweep has.
pub(super) fn headline<'a>(analysis: &'a Analysis) -> Vec<&'a Pair> {
    HEADLINE.iter().filter_map(|[arm, baseline]| analysis.pair(arm, baseline)).collect()
}

/// What transfer is worth, according to the sweep.
pub(super) fn lead(analysis: &Analysis) -> Markup {
    html! {
        p.lead { @for (is_strong, text) in end(analysis) { @if is_strong { strong { (text) } } @else { (text) } } }
        @for sentence in [start(analysis), pretraining_cost(analysis)].iter().filter(|sentence| !sentence.0.is_empty()) { p.lead { (sentence) } }
    }
}

/// The final accuracies, as a sentence for a terminal.
pub(super) fn sentence(analysis: &Analysis) -> String {
    end(analysis).into_iter().map(|(_, text)| text).collect()
}

/// The final accuracies: pieces of text, and whether each is bold.
fn end(analysis: &Analysis) -> Vec<(bool, String)> {
    let settings = &analysis.results.settings;
    let Some(frozen) = analysis.arm("frozen") else {
        if analysis.splits.is_some() {
            return vec![(false, comparisons::splits_sentence(analysis))];
        }
        return vec![(
            false,
            "This sweep does not include the arm frozen, so it does not say what transfer is worth.".to_owned(),
        )];
    };
    let epochs = number::counted(settings.epochs, "epoch");
    let mut parts = vec![
        (
            false,
            format!("With features pretrained on {} and then frozen, a new head reaches ", names(&settings.source)),
        ),
        (true, with_half_width(&frozen.accuracy)),
        (false, format!(" test accuracy on {} after {epochs}", names(&settings.target))),
    ];
    if let (Some(pair), Some(scratch)) = (analysis.pair("frozen", "scratch"), analysis.arm("scratch")) {
        parts.extend([
            (false, "; the same network trained from scratch reaches ".to_owned()),
            (true, with_half_width(&scratch.accuracy)),
            (false, format!(": {}", verdict(pair))),
        ]);
    }
    parts.push((false, ".".to_owned()));
    parts
}

/// The accuracies after one epoch, and what the pretrained features are worth.
fn start(analysis: &Analysis) -> Markup {
    let with_scratch = analysis.pair("frozen", "scratch").zip(analysis.arm("frozen")).zip(analysis.arm("scratch"));
    html! {
        @if let Some(((pair, frozen), scratch)) = with_scratch {
            "After one epoch the new head reaches " (number::percent_briefly(frozen.first_epoch.mean)) " validation accuracy, "
            (points(&pair.first_epoch)) " " (if pair.first_epoch.mean < 0.0 { "below" } else { "above" }) " scratch ("
            (number::percent_briefly(scratch.first_epoch.mean)) "). "
        }
        (untrained(analysis))
    }
}

/// How much better pretrained features are than untrained ones. Only untrained features of the same scale tell what
/// pretraining adds: on others, a head may simply learn more slowly.
fn untrained(analysis: &Analysis) -> Markup {
    let control = ["frozen-random-matched", "frozen-random"]
        .into_iter()
        .find_map(|arm| Some((analysis.pair("frozen", arm)?, analysis.arm(arm)?)));
    let Some((pair, control)) = control else { return Markup::default() };
    let is_matched = control.name == "frozen-random-matched";
    let guessing = 1.0 / analysis.results.settings.target.len() as f64;
    let have_learned = control.records.iter().all(|record| record.has_learned());
    let reach = format!("reaches {}", with_half_width(&control.accuracy));
    html! {
        "On untrained features" @if is_matched { " of the same scale" } " a head " (reach)
        @if !have_learned {
            ", but its training accuracy is not above guessing (" (number::percent_briefly(guessing)) "): it has not learned, so this \
             sweep does not say what pretraining adds."
        } @else if pair.comparison.is_shown() && !is_matched {
            ", " (points(&pair.difference)) (if pair.difference.mean > 0.0 { " less." } else { " more." })
        } @else if pair.comparison.is_shown() {
            ", so pretraining " (if pair.difference.mean > 0.0 { "adds " } else { "lowers accuracy by " }) (points(&pair.difference)) "."
        } @else if pair.comparison.has_enough_seeds() {
            ", so the data do not show that pretraining adds anything (difference " (signed(&pair.difference)) " points; "
            (detectable_difference(pair)) ")."
        } @else {
            ": a difference of " (signed(&pair.difference)) " points; " (too_few(pair)) "."
        }
        @if have_learned && !is_matched {
            " The arm frozen-random-matched, which is not in this sweep, would show how much of this is due to their scale."
        }
    }
}

/// How long transfer takes, and with how many pictures it pays off.
fn pretraining_cost(analysis: &Analysis) -> Markup {
    let seconds = |name: &str| analysis.arm(name)?.seconds;
    let is_few = |pair: &&Pair| pair.arm.starts_with("frozen@") && pair.baseline.starts_with("scratch@");
    let few: Vec<&Pair> = analysis.sampled_pairs.iter().filter(is_few).collect();
    let size = |pair: &Pair| number::count(pair.arm.split_once('@').map_or("", |(_, n)| n).parse().unwrap_or(0));
    html! {
        @if let Some((frozen, scratch)) = seconds("frozen").zip(seconds("scratch")) {
            "Training the head takes " (number::duration(frozen.learning())) ", the whole network "
            (number::duration(scratch.learning())) "; including pretraining, transfer takes "
            (number::duration(frozen.with_stage_1())) ". "
        }
        @if let (Some(fewest), Some(most)) = (few.first(), few.last()) {
            "With " (size(fewest)) " pictures of each class, transfer is " (ahead_or_behind(fewest)) " training from scratch"
            @if fewest.arm != most.arm { ", with " (size(most)) " it is " (ahead_or_behind(most)) " it" }
            " (" (number::counted(fewest.comparison.differences.len(), "seed")) ")."
        }
    }
}

/// `1.4 ± 0.2 points ahead of`.
fn ahead_or_behind(pair: &Pair) -> String {
    match pair.difference.mean {
        // Rounds to 0.0 points.
        mean if mean.abs() < 0.000_5 => "level with".to_owned(),
        mean if mean > 0.0 => format!("{} ahead of", points(&pair.difference)),
        _ => format!("{} behind", points(&pair.difference)),
    }
}

/// The difference in words: whether it is shown, its size, and how many seeds agree.
fn verdict(pair: &Pair) -> String {
    let test = format!("{}, adjusted {}", agreement(pair), adjusted_p(pair).replace(' ', "\u{a0}"));
    if pair.comparison.is_shown() {
        let direction = if pair.difference.mean < 0.0 { "lower" } else { "higher" };
        format!("transfer ends {} {direction} ({test})", points(&pair.difference))
    } else if pair.comparison.has_enough_seeds() {
        let (low, high) = pair.difference.interval().unwrap_or_default();
        let [low, high] = [low, high].map(|end| format!("{:+.1}", end * 100.0).replace('-', "−"));
        let could = detectable_difference(pair);
        format!("the data do not show a difference, which could be {low} to {high} points ({test}); {could}")
    } else {
        format!("a difference of {} points; {}", signed(&pair.difference), too_few(pair))
    }
}

/// The smallest difference that the test of a pair would probably have found, and whether the test shows that the
/// difference is negligible.
fn detectable_difference(pair: &Pair) -> String {
    let detectable = 100.0 * pair.comparison.detectable.unwrap_or_default();
    let equivalence = if pair.comparison.is_equivalent() { "and the data show" } else { "but the data do not show" };
    format!(
        "a difference of {detectable:.1}\u{a0}points would probably have been detected, {equivalence} that the true one is \
         less than one point"
    )
}

/// `3 seeds are too few for a claim`; for one seed, with McNemar's test over pictures.
fn too_few(pair: &Pair) -> String {
    match pair.comparison.differences.len() {
        1 => {
            let p = pair
                .comparison
                .mcnemar_p
                .first()
                .map(|&p| format!(" (McNemar's test over pictures, p = {})", p_value(p)));
            format!("1 seed is too few for a claim{}", p.unwrap_or_default().replace("= <", "<"))
        }
        seeds => format!("{seeds} seeds are too few for a claim"),
    }
}

pub(super) fn names(classes: &[ClassRecord]) -> String {
    number::listed(classes.iter().map(|class| class.name.as_str()))
}
