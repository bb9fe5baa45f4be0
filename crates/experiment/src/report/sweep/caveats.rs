//! What the numbers do not say.

use maud::{Markup, html};

use super::{Options, analysis::Analysis, answer::plural};
use crate::{record::DataKind, statistics::FEWEST_FOR_A_CLAIM};

pub(super) fn section(analysis: &Analysis, options: &Options) -> Markup {
    let settings = &analysis.results.settings;
    let few = analysis.arms.iter().filter(|figures| figures.accuracy.n < FEWEST_FOR_A_CLAIM).count();
    html! {
        h2 { "What this does not show" }
        ul {
            @if settings.data.kind == DataKind::BuiltIn {
                li {
                    strong { "Drawings, not photographs." }
                    " The built-in pictures let the experiment run anywhere. Their accuracies say nothing about CIFAR-10."
                }
            }
            @if let Some(note) = &options.note { li { (note) } }
            @if few > 0 {
                li {
                    strong { "Few seeds." }
                    " " (few) " arm" (plural(few)) " ha" (if few == 1 { "s" } else { "ve" }) " fewer than " (FEWEST_FOR_A_CLAIM)
                    " seeds. With so few the exact test cannot find anything at 5\u{a0}%, and no p is given."
                }
            }
            li {
                strong { "Intervals over seeds." }
                " They tell how much initial weights, order and dropout matter, for this training set and this test set. Other "
                "pictures of the same classes would move all arms, mostly together."
            }
            li {
                strong { "Many comparisons." }
                " The p-values are not corrected for their number. Six seeds give no p below 0.031, so a single one of them is "
                "no strong evidence; look at the interval and at whether all seeds agree."
            }
            li {
                strong { (settings.epochs) " epoch" (plural(settings.epochs)) ", declared beforehand." }
                " Every arm is scored after as many. An arm that is still rising then would be further up after more."
            }
            li {
                strong { "One learning rate." }
                " Adam at 0.001 for every arm that does not say otherwise; none was tuned, on either side of a comparison."
            }
            li {
                strong { "One small network, two halves of one data set." }
                " Nothing here speaks of deep networks pretrained on many pictures, where transfer is at its best."
            }
            @if analysis.times {
                li {
                    strong { "Times of a shared program." }
                    " Each arm is charged the whole time of the features that it shares with others, and, where it says so, the "
                    "whole time of stage 1. Other work on the machine is in them too."
                }
            }
        }
    }
}
