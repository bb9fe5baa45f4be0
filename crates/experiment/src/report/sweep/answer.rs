//! The answer: three sentences with the numbers in them.

use maud::{Markup, html};

use super::{
    super::number,
    analysis::{Analysis, Pair},
};
use crate::{record::ClassRecord, statistics::Sample};

/// What transfer is worth, as far as the sweep tells.
pub(super) fn lead(analysis: &Analysis) -> Markup {
    let sentences = [end(analysis), start(analysis), price(analysis)];
    html! { @for sentence in sentences.into_iter().filter(|sentence| !sentence.0.is_empty()) { p.lead { (sentence) } } }
}

/// How it ends, as a sentence for a terminal.
pub(super) fn sentence(analysis: &Analysis) -> String {
    let tag = |part: &str| part.split_once('>').map_or_else(String::new, |(_, text)| text.to_owned());
    let html = end(analysis).0;
    let (first, parts) = html.split_once('<').unwrap_or((&html, ""));
    let text = first.to_owned() + &parts.split('<').map(tag).collect::<String>();
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&"), ("\u{a0}", " ")];
    entities.into_iter().fold(text, |text, (entity, character)| text.replace(entity, character))
}

/// How it ends.
fn end(analysis: &Analysis) -> Markup {
    let settings = &analysis.results.settings;
    let (Some(frozen), scratch) = (analysis.arm("frozen"), analysis.pair("frozen", "scratch")) else {
        return html! { "This sweep has no arm " code { "frozen" } ", so it does not say what transfer is worth." };
    };
    html! {
        "With features that were learned on " (names(&settings.source)) " and then frozen, a fresh head is right on "
        strong.model-2 { (with_half_width(&frozen.accuracy)) } " of the test pictures of " (names(&settings.target)) " after "
        (settings.epochs) " epoch" (plural(settings.epochs))
        @if let (Some(pair), Some(scratch)) = (scratch, analysis.arm("scratch")) {
            "; the same network trained on them from its initialisation is right on "
            strong.model-1 { (with_half_width(&scratch.accuracy)) } ", so "
            (verdict(pair, "transfer ends", "no better and no worse end is shown"))
        }
        "."
    }
}

/// How it starts, and what the features are worth.
fn start(analysis: &Analysis) -> Markup {
    let pair_with_scratch = analysis.pair("frozen", "scratch");
    let random = analysis.pair("frozen", "frozen-random").zip(analysis.arm("frozen-random"));
    html! {
        @if let (Some(pair), Some(frozen), Some(scratch)) = (pair_with_scratch, analysis.arm("frozen"), analysis.arm("scratch")) {
            "After the first epoch the fresh head stands at " (number::percent_briefly(frozen.first_epoch.mean))
            " of the validation pictures against " (number::percent_briefly(scratch.first_epoch.mean)) ", "
            (points(&pair.first_epoch)) " " (direction(&pair.first_epoch))
            @if random.is_none() { "." }
        }
        @if let Some((pair, random)) = random {
            @if pair_with_scratch.is_some() { "; untrained" } @else { "Untrained" }
            " frozen features reach " strong.untrained { (with_half_width(&random.accuracy)) } " in the end, "
            @if pair.is_shown() && pair.difference.mean > 0.0 { "so what the source classes taught them is worth " (points(&pair.difference)) }
            @else if pair.has_enough_seeds() {
                "and it is not shown that what the source classes taught them is worth anything (difference "
                (signed(&pair.difference)) " points)"
            }
            @else {
                (points(&pair.difference)) " " (direction(&negated(&pair.difference))) ", which " (pair.differences.len()) " seed"
                (plural(pair.differences.len())) " cannot prove"
            }
            "."
        }
    }
}

/// What it costs, and when it pays.
fn price(analysis: &Analysis) -> Markup {
    let arms = analysis.arm("frozen").zip(analysis.arm("scratch"));
    let few: Vec<&Pair> = analysis.sampled_pairs.iter().filter(|pair| pair.baseline.starts_with("scratch@")).collect();
    let few: Vec<&Pair> = few.into_iter().filter(|pair| pair.arm.starts_with("frozen@")).collect();
    let size = |pair: &Pair| pair.arm.split_once('@').map_or("", |(_, n)| n).parse::<u64>().unwrap_or(0);
    let times = arms.filter(|_| analysis.times);
    html! {
        @if let Some((frozen, scratch)) = times {
            "The head learns in " (number::seconds(frozen.mean(|record| record.times.learning()))) " where the whole network takes "
            (number::seconds(scratch.mean(|record| record.times.learning()))) ", but with the features' own training transfer takes "
            (number::seconds(frozen.mean(|record| record.times.learning() + record.times.pretraining)))
            @if few.is_empty() { "." }
        }
        @if let (Some(fewest), Some(most)) = (few.first(), few.last()) {
            @if times.is_some() { "; with " } @else { "With " }
            (number::count(size(fewest))) " pictures a class transfer is " (ahead(fewest)) " training from the initialisation"
            @if fewest.arm != most.arm { ", with " (number::count(size(most))) " it is " (ahead(most)) " it" }
            " (" (fewest.differences.len()) " seed" (plural(fewest.differences.len())) ")"
            "."
        }
    }
}

/// `1.4 ± 0.2 points ahead of`.
fn ahead(pair: &Pair) -> String {
    match pair.difference.mean {
        // Nothing in the digit that is shown.
        mean if mean.abs() < 0.000_5 => "level with".to_owned(),
        mean if mean > 0.0 => format!("{} ahead of", points(&pair.difference)),
        _ => format!("{} behind", points(&pair.difference)),
    }
}

/// A difference in words: whether it is shown, how large, by how many seeds.
fn verdict(pair: &Pair, subject: &str, otherwise: &str) -> Markup {
    let n = pair.differences.len();
    let test = pair.p.map_or_else(String::new, |p| format!("{n} seeds, exact sign-flip test, p\u{a0}=\u{a0}{p:.3}"));
    html! {
        @if pair.is_shown() { (subject) " " (points(&pair.difference)) " " (direction(&pair.difference)) " (" (test) ")" }
        @else if pair.has_enough_seeds() { (otherwise) " (difference " (signed(&pair.difference)) " points; " (test) ")" }
        @else { "the difference is " (signed(&pair.difference)) " points, which " (n) " seed" (plural(n)) " cannot prove" }
    }
}

/// `1.43 ± 0.21 points`, without a sign.
fn points(sample: &Sample) -> String {
    let mean = format!("{:.1}", sample.mean.abs() * 100.0);
    let half = sample.half_width.map_or_else(String::new, |half| format!(" ± {:.1}", half * 100.0));
    format!("{mean}{half} points").replace(' ', "\u{a0}")
}

/// `−1.43 ± 0.21`.
pub(super) fn signed(sample: &Sample) -> String {
    let half = sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.2}", half * 100.0));
    format!("{:+.2}{half}", sample.mean * 100.0).replace('-', "−")
}

/// `84.21 ± 0.35 %`.
pub(super) fn with_half_width(sample: &Sample) -> String {
    let half = sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.2}", half * 100.0));
    format!("{:.2}{half}\u{a0}%", sample.mean * 100.0)
}

fn negated(sample: &Sample) -> Sample {
    Sample { mean: -sample.mean, ..*sample }
}

fn direction(sample: &Sample) -> &'static str {
    if sample.mean < 0.0 { "lower" } else { "higher" }
}

fn names(classes: &[ClassRecord]) -> String {
    number::listed(classes.iter().map(|class| class.name.as_str()))
}

/// The ending of a noun.
pub(super) fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}
