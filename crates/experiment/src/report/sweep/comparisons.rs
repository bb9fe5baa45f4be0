//! The tables of comparisons: the tests, and the random splits.

use maud::{Markup, html};

use super::{
    analysis::{Analysis, Pair},
    numbers::{difference, p_value, signed},
    plots,
};
use crate::report::table::{NOTHING, table};
use crate::{sweep::statistics::Difference, system::number};

/// The test of each declared comparison, and the difference it could have detected.
pub(super) fn tests(analysis: &Analysis) -> Markup {
    let head = [
        "pair",
        "agreeing seeds",
        "adjusted p",
        "p of a difference below one point",
        "detectable, points",
        "correlation",
        "compared",
        "error over pictures, points",
        "over seeds and pictures, points",
    ];
    let points = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| format!("{:.2}", value * 100.0));
    let p = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), p_value);
    let row = |pair: &Pair| {
        let comparison = &pair.comparison;
        let compared = match &comparison.pooled_with {
            _ if comparison.paired => "seed by seed".to_owned(),
            None => "as groups".to_owned(),
            Some(twin) => format!("as groups, with {twin}"),
        };
        let cells = vec![
            format!("{} − {}", pair.arm, pair.baseline),
            format!("{} of {}", comparison.agreeing_seeds, comparison.differences.len()),
            p(comparison.adjusted_p),
            p(comparison.equivalence_p),
            points(comparison.detectable),
            comparison.correlation.map_or_else(|| NOTHING.to_owned(), |r| format!("{r:.2}").replace('-', "−")),
            compared,
            points(comparison.components.map(|components| components.picture_error)),
            points(comparison.components.map(|components| components.standard_error)),
        ];
        (plots::ink(&pair.arm).name(), cells)
    };
    html! {
        @if !analysis.pairs.is_empty() {
            h2 { "What the tests can say" }
            (table(1, &head, analysis.pairs.iter().map(row)))
            p.note {
                "The p-values are of t-tests, adjusted by Holm's method for all " (analysis.pairs.len()) " pairs. Detectable: the smallest "
                "difference that such a test finds with a probability of 80 %. Arms are compared seed by seed if their accuracies correlate by "
                "at least 0.25, otherwise as independent groups; the baseline is then pooled with stage 1 if only their random bits differ. The last two "
                "columns are standard errors over test pictures, and over seeds and test pictures."
            }
        }
    }
}

/// The random splits of the classes, if the sweep has any.
pub(super) fn splits(analysis: &Analysis) -> Markup {
    let Some(splits) = &analysis.splits else { return Markup::default() };
    let points = |gap: f64| format!("{:+.2}", gap * 100.0).replace('-', "−");
    let rows = splits.splits.iter().map(|split| {
        let gaps = split.gaps.iter().map(|&gap| points(gap)).collect::<Vec<_>>().join(", ");
        let likeness = split.likeness.map_or_else(|| NOTHING.to_owned(), number::percent_briefly);
        ("", vec![split.number.to_string(), gaps, points(split.gap()), likeness])
    });
    html! {
        h2 { "Random splits of the classes" }
        p { (splits_sentence(analysis)) }
        (table(0, &["split", "frozen − scratch in each direction, points", "mean", "class pairs of one kind"], rows))
        p.note {
            "A split is the unit: its gap is the mean of its directions and seeds. Scratch is the stage 1 of the other direction. Class "
            "pairs of one kind: how many pairs of a source and a target class are two animals or two vehicles."
        }
    }
}

/// The result of the splits in a sentence or two; empty without splits.
pub(super) fn splits_sentence(analysis: &Analysis) -> String {
    let Some(splits) = &analysis.splits else { return String::new() };
    let line = splits.by_likeness.map_or_else(String::new, |line| {
        // No split goes from no pair of one kind to all of them; a tenth is in range.
        let tenth =
            Difference { mean: line.slope.mean / 10.0, standard_error: line.slope.standard_error / 10.0, ..line.slope };
        let p = p_value(line.slope.p());
        format!(
            " A tenth more class pairs of one kind changes the gap by {} points (p\u{a0}=\u{a0}{p}).",
            difference(&tenth)
        )
    });
    format!(
        "Over {} in both directions, a head on frozen features ends {} points from training from scratch ({} of {} gaps are \
         positive{}).{line}",
        number::counted(splits.splits.len(), "random split"),
        signed(&splits.gap),
        splits.positive,
        splits.splits.len(),
        splits.difference.map_or_else(String::new, |difference| format!(", p\u{a0}=\u{a0}{}", p_value(difference.p()))),
    )
    .replace("=\u{a0}<", "<")
}
