//! The answer: three sentences with the numbers in them.

use maud::{Markup, html};

use super::analysis::{Analysis, Pair};
use crate::{record::run::ClassRecord, sweep::statistics::Sample, system::number};

/// What transfer is worth, as far as the sweep tells.
pub(super) fn lead(analysis: &Analysis) -> Markup {
    html! {
        p.lead { @for (class, text) in end(analysis) { @if class.is_empty() { (text) } @else { strong class=(class) { (text) } } } }
        @for sentence in [start(analysis), price(analysis)].iter().filter(|sentence| !sentence.0.is_empty()) { p.lead { (sentence) } }
    }
}

/// How it ends, as a sentence for a terminal.
pub(super) fn sentence(analysis: &Analysis) -> String {
    end(analysis).into_iter().map(|(_, text)| text).collect()
}

/// How it ends: texts, with the class of those that stand out.
fn end(analysis: &Analysis) -> Vec<(&'static str, String)> {
    let settings = &analysis.results.settings;
    let Some(frozen) = analysis.arm("frozen") else {
        return vec![("", "This sweep has no arm frozen, so it does not say what transfer is worth.".to_owned())];
    };
    let mut parts = vec![
        (
            "",
            format!("With features learned on {} and then frozen, a fresh head is right on ", names(&settings.source)),
        ),
        ("model-2", with_half_width(&frozen.accuracy)),
        (
            "",
            format!(
                " of the test pictures of {} after {}",
                names(&settings.target),
                number::counted(settings.epochs, "epoch")
            ),
        ),
    ];
    if let (Some(pair), Some(scratch)) = (analysis.pair("frozen", "scratch"), analysis.arm("scratch")) {
        parts.extend([
            ("", "; the same network trained on them from its initialisation is right on ".to_owned()),
            ("model-1", with_half_width(&scratch.accuracy)),
            ("", format!(", so {}", verdict(pair))),
        ]);
    }
    parts.push(("", ".".to_owned()));
    parts
}

/// How it starts, and what the features are worth.
fn start(analysis: &Analysis) -> Markup {
    let pair_with_scratch = analysis.pair("frozen", "scratch");
    let random = analysis.pair("frozen", "frozen-random").zip(analysis.arm("frozen-random"));
    html! {
        @if let (Some(pair), Some(frozen), Some(scratch)) = (pair_with_scratch, analysis.arm("frozen"), analysis.arm("scratch")) {
            "After the first epoch the fresh head is right on " (number::percent_briefly(frozen.first_epoch.mean))
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
                (points(&pair.difference)) " " (if pair.difference.mean > 0.0 { "lower" } else { "higher" }) ", which "
                (number::counted(pair.differences.len(), "seed")) " cannot prove"
            }
            "."
        }
    }
}

/// What it costs, and when it pays.
fn price(analysis: &Analysis) -> Markup {
    let seconds = |name: &str| analysis.arm(name)?.seconds;
    let times = seconds("frozen").zip(seconds("scratch"));
    let is_few = |pair: &&Pair| pair.arm.starts_with("frozen@") && pair.baseline.starts_with("scratch@");
    let few: Vec<&Pair> = analysis.sampled_pairs.iter().filter(is_few).collect();
    let size = |pair: &Pair| number::count(pair.arm.split_once('@').map_or("", |(_, n)| n).parse().unwrap_or(0));
    html! {
        @if let Some((frozen, scratch)) = times {
            "The head learns in " (number::duration(frozen.learning())) " where the whole network takes "
            (number::duration(scratch.learning())) ", but with the features' own training transfer takes "
            (number::duration(frozen.with_stage_1()))
            @if few.is_empty() { "." }
        }
        @if let (Some(fewest), Some(most)) = (few.first(), few.last()) {
            @if times.is_some() { "; with " } @else { "With " }
            (size(fewest)) " pictures a class transfer is " (ahead(fewest)) " training from the initialisation"
            @if fewest.arm != most.arm { ", with " (size(most)) " it is " (ahead(most)) " it" }
            " (" (number::counted(fewest.differences.len(), "seed")) ")."
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

/// The difference in words: whether it is shown, how large, by how many seeds.
fn verdict(pair: &Pair) -> String {
    let seeds = number::counted(pair.differences.len(), "seed");
    let test = pair.p.map_or_else(String::new, |p| format!("{seeds}, exact sign-flip test, p\u{a0}=\u{a0}{p:.3}"));
    let difference = signed(&pair.difference);
    if pair.is_shown() {
        format!("transfer ends {} {} ({test})", points(&pair.difference), direction(&pair.difference))
    } else if pair.has_enough_seeds() {
        format!("no better and no worse end is shown (difference {difference} points; {test})")
    } else {
        format!("the difference is {difference} points, which {seeds} cannot prove")
    }
}

/// `1.4 ± 0.2 points`, without a sign.
fn points(sample: &Sample) -> String {
    let half = sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.1}", half * 100.0));
    format!("{:.1}{half}\u{a0}points", sample.mean.abs() * 100.0)
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

fn direction(sample: &Sample) -> &'static str {
    if sample.mean < 0.0 { "lower" } else { "higher" }
}

pub(super) fn names(classes: &[ClassRecord]) -> String {
    number::listed(classes.iter().map(|class| class.name.as_str()))
}
