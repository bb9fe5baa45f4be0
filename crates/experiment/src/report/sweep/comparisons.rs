//! The tables of comparisons: the tests, and the random splits.

use maud::{Markup, html};

use super::{
    analysis::{Analysis, Pair},
    answer,
    numbers::p_value,
    plots,
};
use crate::{
    report::{
        page,
        svg::Plot,
        table::{NOTHING, table},
    },
    system::number,
};

/// The test of each declared comparison, and the difference it could have detected.
pub(super) fn tests(analysis: &Analysis) -> Markup {
    let head = [
        "pair",
        "seeds that agree",
        "adjusted p",
        "TOST p",
        "detectable",
        "r",
        "compared",
        "error over pictures",
        "over seeds and pictures",
    ];
    let points = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| format!("{:.2}", value * 100.0));
    let row = |pair: &Pair| {
        let comparison = &pair.comparison;
        let p = |value: Option<f64>| {
            value.filter(|_| comparison.has_enough_seeds()).map_or_else(|| NOTHING.to_owned(), p_value)
        };
        let compared = match &comparison.pooled_with {
            _ if comparison.paired => "pairs".to_owned(),
            None => "groups".to_owned(),
            Some(arm) => format!("groups, with {arm}"),
        };
        let cells = vec![
            format!("{} − {}", pair.arm, pair.baseline),
            format!("{}\u{a0}of\u{a0}{}", comparison.agreeing_seeds, comparison.differences.len()),
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
        @if !analysis.declared_pairs.is_empty() {
            @let adjusted = analysis.declared_pairs.iter().filter(|pair| pair.comparison.adjusted_p.is_some()).count();
            h2 { "All declared differences" }
            (table(1, &head, analysis.declared_pairs.iter().map(row)))
            p.note {
                "Seeds agree if their difference has the sign of the mean. Adjusted p: a two-sided t-test, adjusted by Holm's "
                "method for the number of pairs (" (adjusted) "). TOST p: two "
                "one-sided t-tests, not adjusted; if it is at most 0.05, the difference is shown to be less than one point in either "
                "direction. Detectable: the smallest true difference in points that a single, unadjusted t-test at 5\u{a0}% finds with "
                "a probability of 80\u{a0}%. r: the correlation of the accuracies over seeds. Arms are compared in pairs, seed by seed, "
                "if they start from the same features, or learn from the same few pictures, and the second arm has all seeds of the "
                "first; otherwise as independent groups. If stage 1 trains the same network as the second arm, on the same classes, "
                "with the same learning rate, schedule and number of epochs, its accuracy and the second arm's are averaged for each seed. "
                "The last two columns are standard errors in points. In an unfinished sweep, p is adjusted for the pairs that it has "
                "so far."
            }
        }
    }
}

/// The random splits of the classes, if the sweep has any.
pub(super) fn splits(analysis: &Analysis, plot: Option<&Plot>) -> Markup {
    let Some(splits) = &analysis.splits else { return Markup::default() };
    let points = |gap: f64| format!("{:+.2}", gap * 100.0).replace('-', "−");
    let rows = splits.splits.iter().map(|split| {
        let gaps = split.gaps.iter().map(|&gap| points(gap)).collect::<Vec<_>>().join(", ");
        let likeness = split.likeness.map_or_else(|| NOTHING.to_owned(), number::percent_briefly);
        ("", vec![split.number.to_string(), gaps, points(split.gap()), likeness])
    });
    html! {
        h2 { "Random splits of the classes" }
        @if answer::headline(analysis).is_empty() {
            (page::caveat("Intervals over splits.",
                "These intervals cover how the classes are split, but not other seeds (all splits have the same), other classes or \
                 other pictures. They treat the splits as independent, although these share classes, pictures and seeds."))
        } @else {
            p { (answer::splits(analysis).unwrap_or_default()) }
        }
        @if let Some(plot) = plot {
            (page::figure(plot,
                "Difference of test accuracies, frozen − scratch, over random splits of the classes. In the first row, \
                 each small point is a split, the bar is the 95\u{a0}% t-interval of the mean over splits, and p is from a t-test. In \
                 the other rows, each small point is a direction of transfer."))
        }
        (table(0, &["split", "frozen − scratch in each direction, points", "mean", "class pairs of one kind"], rows))
        (page::data_files(&["splits.csv"]))
        p.note {
            "Each split is run in both directions; its difference is the mean over directions and seeds. The network trained "
            "from scratch is the pretrained network (stage 1) of the other direction. Class pairs of one kind: the share of pairs of a source and a "
            "target class that are two animals or two vehicles."
        }
    }
}
