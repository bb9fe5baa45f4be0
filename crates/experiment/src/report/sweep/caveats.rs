//! What the numbers do not say.

use maud::Markup;

use super::{Options, analysis::Analysis};
use crate::report::page;
use crate::{record::run::DataKind, sweep::statistics::FEWEST_FOR_A_CLAIM, system::number};

pub(super) fn section(analysis: &Analysis, options: &Options) -> Markup {
    let settings = &analysis.results.settings;
    let few = analysis.arms.iter().filter(|figures| figures.accuracy.n < FEWEST_FOR_A_CLAIM).count();
    let few_text = format!(
        "{} {} fewer than {FEWEST_FOR_A_CLAIM} seeds. With so few the exact test cannot find anything at 5\u{a0}%, and no p is \
         given.",
        number::counted(few, "arm"),
        if few == 1 { "has" } else { "have" }
    );
    let epochs = format!("{}, declared beforehand.", number::counted(settings.epochs, "epoch"));
    let always = [
        (
            "Intervals over seeds.",
            "They show how much initial weights, order and dropout matter, for this training set and this test set. Other \
             pictures of the same classes would move all arms, mostly together.",
        ),
        (
            "Many comparisons.",
            "The p-values are not corrected for their number. Six seeds give no p below 0.031, so a single one of them is weak \
             evidence; look at the interval and at whether all seeds agree.",
        ),
        (&epochs, "Every arm is scored after as many. An arm that is still rising then would be better after more."),
        (
            "One learning rate.",
            "Adam at 0.001 for every arm that does not say otherwise; none was tuned, on either side of a comparison.",
        ),
        (
            "One small network, two halves of one data set.",
            "Nothing here is about deep networks pretrained on many pictures, where transfer is at its best.",
        ),
    ];
    let times = "Each arm is charged the whole time of the features that it shares with others, and, where it says so, the whole \
                 time of stage 1. Other work on the machine is in them too.";
    page::caveats(
        [
            page::drawings_caveat(settings.data.kind == DataKind::BuiltIn),
            (options.note.is_some(), "", options.note.clone().unwrap_or_default()),
            (few > 0, "Few seeds.", few_text),
        ]
        .into_iter()
        .chain(always.map(|(heading, text)| (true, heading, text.to_owned())))
        .chain([(analysis.times, "Times of a shared program.", times.to_owned())]),
    )
}
