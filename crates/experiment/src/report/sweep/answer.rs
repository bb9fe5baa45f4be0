//! The answer: a function for each sentence or two of the page's opening paragraphs. A detail for which the sweep lacks
//! the numbers is left out.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{
    analysis::{Analysis, Pair},
    numbers::{p_equals, p_of, points, signed, with_half_width},
};
use crate::{
    record::data::ClassRecord,
    report::page,
    sweep::{comparison::Comparison, splits::Split, statistics::Sample},
    system::number,
};

const SCRATCH: &str = "the whole network trained from scratch";

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
    let details = [accuracies(analysis), first_epoch(analysis)];
    let controls = [untrained(analysis), missing_matched_control(analysis), fine_tuned(analysis)];
    let costs = [time(analysis), few_pictures(analysis)];
    html! {
        p.lead { strong { (answer(analysis)) } }
        @for sentences in [&details[..], &controls, &costs] {
            @let text = sentences.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
            @if !text.is_empty() { p { (text) } }
        }
    }
}

/// The answer with its numbers, for a terminal.
pub(super) fn text(analysis: &Analysis) -> String {
    [Some(answer(analysis)), accuracies(analysis)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn answer(analysis: &Analysis) -> String {
    if let Some(pair) = analysis.pair("frozen", "scratch") {
        return compared("On the test pictures, a new head on frozen features", SCRATCH, pair);
    }
    splits(analysis).unwrap_or_else(|| {
        let has_both = ["frozen", "scratch"].iter().all(|arm| analysis.arm(arm).is_some());
        let lack = if has_both { "have no seed in common" } else { "are not both in this sweep" };
        format!("The arms frozen and scratch {lack}, so this report does not say what transfer is worth.")
    })
}

fn accuracies(analysis: &Analysis) -> Option<String> {
    let settings = &analysis.results.settings;
    let frozen = analysis.arm("frozen")?;
    let scratch = analysis.arm("scratch").map_or_else(String::new, |scratch| {
        let seeds = match scratch.accuracy.n {
            n if n == frozen.accuracy.n => String::new(),
            n => format!(" over {}", number::counted(n, "seed")),
        };
        format!("; the network trained from scratch, {}{seeds}", with_half_width(&scratch.accuracy))
    });
    Some(format!(
        "With features pretrained on {} for {}, the head reaches {} test accuracy on {} after {}{scratch} ({}).",
        names(&settings.source),
        number::counted(settings.source_epochs, "epoch"),
        with_half_width(&frozen.accuracy),
        names(&settings.target),
        number::counted(settings.epochs, "epoch"),
        intervals(&frozen.accuracy),
    ))
}

/// What the `±` of a sentence means, and the number of seeds.
fn intervals(sample: &Sample) -> String {
    let seeds = number::counted(sample.n, "seed");
    if sample.half_width.is_some() { format!("95\u{a0}% intervals over {seeds}") } else { seeds }
}

fn first_epoch(analysis: &Analysis) -> Option<String> {
    let settings = &analysis.results.settings;
    let pair = analysis.pair("frozen", "scratch")?;
    let arms = [analysis.arm("frozen")?, analysis.arm("scratch")?];
    if arms[0].seeds != arms[1].seeds {
        return None;
    }
    let [one, other] = arms.map(|arm| settings.recipe_of(arm.arm));
    let note = if one == other {
        ""
    } else {
        " Their learning rates or schedules differ, which matters most in the first epochs."
    };
    let [frozen, scratch] = arms.map(|arm| number::percent_briefly(arm.first_epoch.mean));
    Some(format!(
        "After the first epoch, validation accuracy is {frozen} with the head and {scratch} from scratch, a difference of {} points.{note}",
        signed(&pair.first_epoch)
    ))
}

/// The control on untrained features. Only features of the same scale tell what pretraining adds: on others, a head may
/// simply learn more slowly.
fn control<'a>(analysis: &'a Analysis) -> Option<&'a Pair> {
    ["frozen-random-matched", "frozen-random"].into_iter().find_map(|arm| analysis.pair("frozen", arm))
}

fn untrained(analysis: &Analysis) -> Option<String> {
    let pair = control(analysis)?;
    let arm = analysis.arm(&pair.baseline)?;
    let same_scale = if pair.baseline == "frozen-random-matched" { " of the same scale" } else { "" };
    let unlearned = arm.records.iter().filter(|record| !record.has_learned()).count();
    if unlearned == 0 {
        return Some(compared(
            "The head on frozen features",
            &format!("the same head on untrained features{same_scale}"),
            pair,
        ));
    }
    let chance = number::percent_briefly(1.0 / analysis.results.settings.target.len() as f64);
    Some(format!(
        "With {unlearned} of {}, the head on untrained features{same_scale} has not learned: its training accuracy is not \
         significantly above chance ({chance}). So this sweep does not say what pretraining adds.",
        number::counted(arm.records.len(), "seed")
    ))
}

fn missing_matched_control(analysis: &Analysis) -> Option<String> {
    let is_matched = control(analysis)?.baseline == "frozen-random-matched";
    (!is_matched).then(|| {
        "This sweep lacks the arm frozen-random-matched, so it does not say how much of the difference is due to the features' scale.".to_owned()
    })
}

fn fine_tuned(analysis: &Analysis) -> Option<String> {
    Some(compared("The network with all layers fine-tuned", SCRATCH, analysis.pair("fine-tune", "scratch")?))
}

fn time(analysis: &Analysis) -> Option<String> {
    let [frozen, scratch] = [analysis.arm("frozen")?.seconds?, analysis.arm("scratch")?.seconds?];
    let cpus: BTreeSet<&str> = ["frozen", "scratch"]
        .iter()
        .filter_map(|arm| analysis.arm(arm))
        .flat_map(|arm| arm.records.iter().map(|record| record.machine.cpu.as_str()))
        .collect();
    if cpus.len() > 1 {
        return Some("The times come from different processors and cannot be compared.".to_owned());
    }
    let [head, network, with_stage_1] =
        [frozen.training(), scratch.training(), frozen.with_stage_1()].map(number::duration);
    Some(format!(
        "Training the head took {head} per seed, and training the network from scratch {network}; with pretraining, transfer took \
         {with_stage_1} (wall-clock time, which other programs on the machine lengthen)."
    ))
}

/// `frozen` minus `scratch` with the fewest and with the most pictures among the arms trained on few.
fn few_pictures(analysis: &Analysis) -> Option<String> {
    let is_frozen = |pair: &&Pair| pair.arm.starts_with("frozen@") && pair.baseline.starts_with("scratch@");
    let pairs: Vec<&Pair> = analysis.sampled_pairs.iter().filter(is_frozen).collect();
    let [fewest, most] = [*pairs.first()?, *pairs.last()?];
    let size = |pair: &Pair| number::count(pair.arm.split_once('@').map_or("", |(_, n)| n).parse().unwrap_or(0));
    let too_few = |pair: &Pair| if pair.comparison.has_enough_seeds() { "" } else { ", too few for a claim" };
    // A sweep is finished seed by seed, so until its end the sizes may have different numbers of seeds.
    let seeds_of_most = match most.difference.n {
        n if n == fewest.difference.n => String::new(),
        n if !fewest.comparison.has_enough_seeds() => format!(" over {}", number::counted(n, "seed")),
        n => format!(" over {}{}", number::counted(n, "seed"), too_few(most)),
    };
    let most_text = if pairs.len() == 1 {
        String::new()
    } else {
        format!("; with {}, {} points{seeds_of_most}", size(most), signed(&most.difference))
    };
    Some(format!(
        "With {} pictures of each class, frozen minus scratch is {} points of test accuracy{most_text} ({}{}).",
        size(fewest),
        signed(&fewest.difference),
        intervals(&fewest.difference),
        too_few(fewest),
    ))
}

/// Whether an arm differs from its baseline: that is shown, or not shown, or there are too few seeds for either.
fn compared(arm: &str, baseline: &str, pair: &Pair) -> String {
    in_words(arm, baseline, &pair.difference, &pair.comparison, "seed")
}

fn in_words(arm: &str, baseline: &str, difference: &Sample, comparison: &Comparison, unit: &str) -> String {
    let repetitions = number::counted(comparison.differences.len(), unit);
    let differs = |verb: &str| match difference.mean {
        0.0 => format!("{arm} {verb} as accurate as {baseline}"),
        mean => {
            let direction = if mean < 0.0 { "less" } else { "more" };
            format!("{arm} {verb} {} {direction} accurate than {baseline}", points(difference))
        }
    };
    if !comparison.has_enough_seeds() {
        let are = if comparison.differences.len() == 1 { "is" } else { "are" };
        let mcnemar = match comparison.mcnemar_p[..] {
            [p] => format!(" (McNemar's test over test pictures: {})", p_equals(p)),
            _ => String::new(),
        };
        return format!("{}, but {repetitions} {are} too few for a claim{mcnemar}.", differs("was"));
    }
    let adjusted = if comparison.adjusted_p.is_some() { "adjusted " } else { "" };
    let pooled = comparison
        .pooled_with
        .as_ref()
        .map_or_else(String::new, |arm| format!("; the baseline includes the runs of {arm}"));
    let evidence = format!(
        "95\u{a0}% interval; {} of {repetitions} have the mean's sign; {adjusted}{}{pooled}",
        comparison.agreeing_seeds,
        p_of(comparison),
    );
    if comparison.is_shown() {
        return format!("{} ({evidence}).", differs("is"));
    }
    let equivalence = if comparison.is_equivalent() {
        "The true difference is shown to be less than one point in either direction."
    } else {
        "It is not shown that the true difference is less than one point in either direction."
    };
    format!(
        "{arm} is not shown to be more or less accurate than {baseline}: test accuracy differs by {} points ({evidence}). A single \
         test at 5\u{a0}% would have detected a true difference of {:.2}\u{a0}points with a probability of 80\u{a0}%. {equivalence}",
        signed(difference),
        100.0 * comparison.detectable.unwrap_or_default(),
    )
}

/// The result of the random splits.
pub(super) fn splits(analysis: &Analysis) -> Option<String> {
    let splits = analysis.splits.as_ref()?;
    let comparison = Comparison::of_differences(splits.splits.iter().map(Split::gap).collect())?;
    let head = "Over random splits of the classes, a new head on frozen features";
    let text = in_words(head, SCRATCH, &splits.gap, &comparison, "split");
    let slope = splits.by_likeness.filter(|_| comparison.has_enough_seeds()).map(|line| {
        // `slope` is for a share that rises from 0 to 1, which no two splits span; a tenth is in range.
        let half_width = Some(line.slope.half_width() / 10.0);
        let tenth = Sample { n: splits.splits.len(), mean: line.slope.mean / 10.0, deviation: None, half_width };
        format!(
            " With each increase of 10 percentage points in the share of class pairs of one kind (source and target class both animals, or both \
             vehicles), the difference changes by {} points ({}).",
            signed(&tenth),
            p_equals(line.slope.p())
        )
    });
    Some(text + &slope.unwrap_or_default())
}

pub(super) fn names(classes: &[ClassRecord]) -> String {
    page::enumeration(classes.iter().map(|class| class.name.as_str()))
}
