//! Tables of numbers, of facts, and of predictions by class (confusion matrices).

use maud::{Markup, Render, html};

use super::palette::Ink;
use crate::{record::run::ConfusionMatrix, system::number};

/// The content of an empty cell.
pub(super) const NOTHING: &str = "–";

/// A row: its CSS class and its cells, the first of which names it.
pub(super) type Row = (&'static str, Vec<String>);

/// A table whose first `words` columns are text, on the left; the others are numbers, on the right.
pub(super) fn table<H: AsRef<str>>(words: usize, head: &[H], rows: impl IntoIterator<Item = Row>) -> Markup {
    let side = |column: usize| (column < words).then_some("left");
    html! {
        div.scroll { table {
            thead { tr { @for (column, name) in head.iter().enumerate() { th class=[side(column)] scope="col" { (name.as_ref()) } } } }
            tbody { @for (class, cells) in rows { tr class=(class) {
                @for (column, cell) in cells.iter().enumerate() {
                    @if column == 0 { th scope="row" { (cell) } } @else { td class=[side(column)] { (cell) } }
                }
            } } }
        } }
    }
}

pub(super) fn facts<N: Render, F: Render>(facts: impl IntoIterator<Item = (N, F)>) -> Markup {
    html! {
        div.scroll { table.facts { tbody { @for (name, fact) in facts { tr { th scope="row" { (name) } td { (fact) } } } } } }
    }
}

/// Pictures by class and prediction, shaded with `ink`.
pub(super) fn confusion(matrix: &ConfusionMatrix, ink: Ink) -> Markup {
    html! {
        div.scroll { table.confusion style=(format!("--ink:var(--{})", ink.name())) {
            thead { tr {
                th.corner { "true\u{a0}class\u{a0}↓" br; "predicted\u{a0}→" }
                @for class in &matrix.classes { th scope="col" { (class) } }
                th.corner { "correct" }
            } }
            tbody { @for ((index, class), row) in matrix.classes.iter().enumerate().zip(&matrix.counts) {
                @let total: u64 = row.iter().sum();
                tr {
                    th scope="row" { (class) }
                    // The square root makes small shares, which are the mistakes, visible.
                    @for &count in row { td style=(format!("--shade:{:.3}", share(count, total).sqrt())) { (number::count(count)) } }
                    td.recall {
                        @if total == 0 { (NOTHING) }
                        @else { (number::percent_briefly(share(row.get(index).copied().unwrap_or(0), total))) }
                    }
                }
            } }
        } }
    }
}

/// The caption of confusion matrices of these pictures.
pub(super) fn confusion_caption(pictures: &str) -> String {
    format!(
        "{pictures} by true class (rows) and predicted class (columns). Shading: square root of the share of the row's pictures."
    )
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
