//! First-layer filters as colour tiles, and the most confident mistakes.

use maud::{Markup, html};

use super::analysis::Analysis;
use crate::data::png::Sheet;
use crate::report::page;

/// Whose first layers are shown, what is subtracted from them, and what that is.
const FIRST_LAYERS: [(&str, Option<&str>, &str); 7] = [
    ("frozen-random", None, "at the initialisation"),
    ("pretrain-source", None, "trained on the source classes: what frozen arms take over"),
    ("pretrain-source", Some("frozen-random"), "what the source classes changed"),
    ("scratch", Some("frozen-random"), "what the target classes change"),
    ("fine-tune", Some("pretrain-source"), "what the target classes change in the features of the source classes"),
    ("pretrain-all", Some("frozen-random"), "what all classes change"),
    ("pretrain-source-shuffled", Some("frozen-random"), "what shuffled labels change"),
];

/// A filter's pixel is a square of this side.
const ENLARGED: usize = 8;
/// Transparent pixels between filters.
const GAP: usize = 4;
/// Filters in a row.
const COLUMNS: usize = 16;

/// Filters of `side` x `side` pixels as one PNG. Each is scaled by its largest weight: grey is zero, brighter is positive.
fn tiles(title: &str, side: usize, filters: &[Vec<f32>]) -> Vec<u8> {
    let cell = side * ENLARGED + GAP;
    let columns = COLUMNS.min(filters.len()).max(1);
    // There is no gap after the last column and row.
    let (width, height) = (columns * cell - GAP, filters.len().div_ceil(columns).max(1) * cell - GAP);
    let mut sheet = Sheet::new(width, height);
    for (index, filter) in filters.iter().enumerate() {
        let largest = filter.iter().fold(f32::MIN_POSITIVE, |largest, weight| largest.max(weight.abs()));
        let (left, top) = (index % columns * cell, index / columns * cell);
        for (at, weights) in filter.as_chunks::<3>().0.iter().enumerate() {
            let color = weights.map(|weight| (127.5 + 127.5 * weight / largest).round() as u8);
            sheet.square(left + at % side * ENLARGED, top + at / side * ENLARGED, ENLARGED, color);
        }
    }
    sheet.encode(title)
}

/// The first layers of networks, a figure each.
pub(super) fn filters(analysis: &Analysis) -> Markup {
    let filters = |arm: &str| {
        let layer = analysis.arm(arm)?.records.first()?.first_layer.as_ref()?;
        Some((layer.side, layer.decoded()?))
    };
    let figure = |&(arm, other, about): &(&str, Option<&str>, &'static str)| {
        let (side, mut shown) = filters(arm)?;
        let mut name = arm.to_owned();
        if let Some(other) = other {
            let (_, subtracted) = filters(other)?;
            shown.iter_mut().flatten().zip(subtracted.iter().flatten()).for_each(|(weight, other)| *weight -= other);
            name = format!("{arm} − {other}");
        }
        let picture = page::image(&tiles(&format!("{name}: {about}"), side, &shown));
        Some((name, about, picture))
    };
    let figures: Vec<_> = FIRST_LAYERS.iter().filter_map(figure).collect();
    html! {
        @if !figures.is_empty() {
            h2 { "What the first layer looks for" }
            div.tiles { @for (name, about, picture) in &figures {
                figure {
                    img alt={ "First-layer filters, " (name) ": " (about) } src=(picture);
                    figcaption { strong { (name) } ": " (about) }
                }
            } }
            p.note {
                "The filters of the first convolution, of the first seed, or differences of filters. Each is scaled by its largest "
                "weight; grey is zero."
            }
        }
    }
}

/// The test pictures on which arms were wrong and most confident.
pub(super) fn mistakes(analysis: &Analysis) -> Markup {
    let shown: Vec<_> = ["frozen", "scratch"].into_iter().filter_map(|arm| analysis.arm(arm)).collect();
    html! {
        @if !shown.is_empty() {
            h2 { "Sure and wrong" }
            @for figures in shown {
                h3 { (figures.name) }
                (page::mistakes(figures.records[0].mistakes.iter().map(|mistake| page::Mistake {
                    class: &mistake.class,
                    predicted: &mistake.predicted,
                    probability: mistake.confidence,
                    picture: &mistake.picture,
                    origin: format!("test picture {}", mistake.index),
                    file_name: None,
                })))
            }
            p.note { "The most confident mistakes on the test set, of the first seed." }
        }
    }
}
