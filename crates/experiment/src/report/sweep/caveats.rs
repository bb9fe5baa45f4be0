//! Caveats about the whole sweep; a caveat about a single claim appears next to it.

use maud::Markup;

use super::{Options, analysis::Analysis};
use crate::report::page;
use crate::{sweep::statistics::FEWEST_FOR_A_CLAIM, system::number};

pub(super) fn section(analysis: &Analysis, options: &Options) -> Markup {
    let few = analysis.arms.iter().filter(|figures| figures.accuracy.n < FEWEST_FOR_A_CLAIM).count();
    let few_text = format!(
        "{} {} fewer than {FEWEST_FOR_A_CLAIM} seeds. With so few the exact test cannot find anything at 5\u{a0}%, and no p is \
         given.",
        number::counted(few, "arm"),
        if few == 1 { "has" } else { "have" }
    );
    page::caveats([
        (options.note.is_some(), "", options.note.clone().unwrap_or_default()),
        (few > 0, "Few seeds.", few_text),
        (
            true,
            "One small network, two halves of one data set.",
            "None of this carries over to deep networks pretrained on many pictures, where transfer is at its best."
                .to_owned(),
        ),
    ])
}
