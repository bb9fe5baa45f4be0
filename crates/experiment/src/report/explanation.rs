//! The page of `predict --explain`: which parts of each picture support its class.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{Markup, html};

use super::page;
use crate::{data::png, system::number, training::explanation::Explanation};

/// The whole page, for some of `pictures` pictures that a model classified.
pub fn render(model: &str, explanations: &[Explanation], pictures: usize) -> String {
    let has_maps = explanations.iter().any(|explanation| explanation.map.is_some());
    let main = html! {
        p.lead { "Each picture as the network sees it, and which parts support the predicted class (orange) or count against it (blue)." }
        @if has_maps {
            p {
                strong { "Map." } " A class's logit is its intercept plus a contribution from every position in the picture's features. "
                "The map shows these contributions, so it is exact."
            }
        }
        p {
            strong { "Hidden." } " As a check, a grey patch of a quarter of the picture's width hides one part after "
            "another. Orange: the logit falls when this part is hidden, so the class depends on it. Blue: it rises."
            @if !has_maps { " There is no map, because this model's head is not linear." }
        }
        @if explanations.len() < pictures {
            p.note { "The first " (explanations.len()) " of " (number::count(pictures as u64)) " pictures." }
        }
        @for explanation in explanations { (explained(explanation)) }
        h2 { "What this does not show" }
        ul {
            li { "A map says where, not why: a class may depend on a background that its training pictures share." }
            li {
                "A deep feature depends on a large area, so the part that decided may be beside the orange one. "
                "Where map and check disagree, trust the check."
            }
            li { "Colours cannot be compared between maps: the strongest position of each has the full colour, however little it adds." }
        }
    };
    let version = env!("CARGO_PKG_VERSION");
    let kicker = format!("Thawline {version} · {model}");
    page::document("Why these classes", &kicker, &main, &format!("Written by Thawline {version}."))
}

fn explained(explanation: &Explanation) -> Markup {
    let Explanation { file, picture, classes, map, occlusion } = explanation;
    let picture = BASE64_STANDARD.encode(png::picture(picture));
    let class = &classes[0].0;
    let rounded = |logit: f32| format!("{logit:.2}").replace('-', "−");
    html! {
        h3.file { (file) }
        div.explained {
            figure { img alt=(file) src=(page::image_of_base64(&picture)); figcaption { "Picture" } }
            @if let Some((map, _)) = map {
                figure { (page::heat(&picture, map, &format!("what supports {class}"))) figcaption { "Map" } }
            }
            figure {
                (page::heat(&picture, occlusion, &format!("where a patch lowers the logit of {class}")))
                figcaption { "Hidden" }
            }
        }
        p {
            @for (index, (class, probability)) in classes.iter().enumerate() {
                @if index > 0 { ", " }
                @let probability = number::certainty(f64::from(*probability));
                @if index == 0 { strong { (class) } " " (probability) } @else { (class) " " (probability) }
            }
            @if let Some((map, bias)) = map {
                @let positions = map.values.iter().sum::<f32>();
                br;
                span.note {
                    "Logit of " (class) ": positions " (rounded(positions)) " + intercept " (rounded(*bias)) " ≈ " (rounded(positions + bias))
                }
            }
        }
    }
}
