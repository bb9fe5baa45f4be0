//! Pictures of the report: first-layer filters as colour tiles, and the mistakes that networks were surest of.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{Markup, html};

use super::{super::pictures::encode, analysis::Analysis};

/// The filters of one network's first layer.
pub struct Filters {
    /// Whose they are.
    pub title: String,
    /// Height and width of a filter.
    pub side: usize,
    /// One filter after the other: rows of pixels, each red, green, blue.
    pub filters: Vec<Vec<f32>>,
}

const CHANNELS: usize = 4;
/// A filter's pixel is a square of this side.
const ENLARGED: usize = 8;
/// Transparent pixels between filters.
const GAP: usize = 4;
/// Filters in a row.
const COLUMNS: usize = 16;

/// The filters as one PNG. Each is scaled by its own largest weight: grey is zero, brighter is positive.
fn tiles(filters: &Filters) -> Vec<u8> {
    let cell = filters.side * ENLARGED + GAP;
    let columns = COLUMNS.min(filters.filters.len()).max(1);
    let (width, height) = (columns * cell, filters.filters.len().div_ceil(columns).max(1) * cell);
    let mut pixels = vec![0; width * height * CHANNELS];
    for (index, filter) in filters.filters.iter().enumerate() {
        let largest = filter.iter().fold(f32::MIN_POSITIVE, |largest, weight| largest.max(weight.abs()));
        let (left, top) = (index % columns * cell, index / columns * cell);
        for y in 0..filters.side * ENLARGED {
            for x in 0..filters.side * ENLARGED {
                let from = (y / ENLARGED * filters.side + x / ENLARGED) * 3;
                let to = ((top + y) * width + left + x) * CHANNELS;
                for channel in 0..3 {
                    pixels[to + channel] = (127.5 + 127.5 * filter[from + channel] / largest).round() as u8;
                }
                pixels[to + 3] = u8::MAX;
            }
        }
    }
    encode(&pixels, width, height, &filters.title).expect("a Vec takes every byte")
}

/// The first layers of networks, a figure each.
pub(super) fn filters(all: &[Filters]) -> Markup {
    html! {
        @if !all.is_empty() {
            h2 { "What the first layer looks for" }
            div.tiles { @for filters in all {
                figure {
                    img alt={ "First-layer filters: " (filters.title) } src={ "data:image/png;base64," (BASE64_STANDARD.encode(tiles(filters))) };
                    figcaption { (filters.title) }
                }
            } }
            p.note {
                "The filters of the first convolution, of the first seed. Each is scaled by its largest weight; grey is zero."
            }
        }
    }
}

/// The test pictures that arms were surest about and wrong.
pub(super) fn mistakes(analysis: &Analysis) -> Markup {
    let shown: Vec<_> = ["frozen", "scratch"].into_iter().filter_map(|arm| analysis.arm(arm)).collect();
    html! {
        @if !shown.is_empty() {
            h2 { "Sure and wrong" }
            @for figures in shown {
                @let record = figures.records[0];
                h3 { (figures.arm.name) }
                div.mistakes { @for mistake in &record.mistakes {
                    figure {
                        img alt={ "test picture " (mistake.index) ", " (mistake.class) } src={ "data:image/png;base64," (mistake.picture) };
                        figcaption {
                            (mistake.class) ", taken for " strong { (mistake.predicted) } " with "
                            (percent_of_certainty(mistake.confidence))
                        }
                    }
                } }
            }
            p.note { "The most confident mistakes on the test set, of the first seed." }
        }
    }
}

/// With so many digits that it never says 100 %.
fn percent_of_certainty(confidence: f64) -> String {
    let text = format!("{:.1}\u{a0}%", confidence * 100.0);
    if text.starts_with("100") { "more than 99.9\u{a0}%".to_owned() } else { text }
}
