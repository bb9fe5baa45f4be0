//! What the numbers do not say.

use maud::{Markup, html};

use super::published;
use crate::record::{DataKind, HeadStart, RunRecord};

pub(super) fn section(record: &RunRecord) -> Markup {
    let data = &record.data;
    let halves = data.kind == DataKind::Cifar10 && published::applies_to(record);
    html! {
        h2 { "What this does not show" }
        ul {
            @if data.kind == DataKind::BuiltIn {
                li {
                    strong { "Drawings, not photographs." }
                    " The built-in pictures let the experiment run anywhere. Their accuracies say nothing about CIFAR-10."
                }
            }
            @if record.model_1.is_some() { li {
                strong { "Two different tests." }
                " model_1 and model_2 are tested on different pictures of different classes, so their accuracies cannot be "
                "set against each other."
                @if halves { " Classes 5–9 of CIFAR-10 are the easier half." }
            } }
            li {
                strong { "No control." }
                " How much of model_2's accuracy comes from the features' training is open. That takes the same network "
                "trained on the target classes from its initialisation, and the same head behind untrained features."
            }
            li {
                strong { "Validation on the test set." }
                " As in the tutorial, the validation pictures are the test set. The best epoch was picked by looking at "
                "them, so its accuracy is an optimistic one; quote the last epoch."
            }
            li {
                strong { "One seed." }
                " Another seed gives other initial weights, another order of the pictures, and somewhat other accuracies: "
                "small differences mean nothing."
            }
            li {
                strong { "Time without its price." }
                " model_2's time leaves out the training of its features."
            }
            @if record.head == HeadStart::Warm {
                li {
                    strong { "A head that was not new." }
                    " As in the tutorial's code, model_2's head went on from trained weights. It had classes to unlearn, "
                    "which shows in its first epochs."
                }
            }
            @if halves {
                li {
                    strong { "The published numbers" }
                    " were measured in another framework on a GPU, once."
                    @if record.head == HeadStart::Fresh {
                        " There, the head of model_2 went on from model_1's weights; here it is new, and the first epochs "
                        "of the two are not the same experiment."
                    }
                    @if !data.official { " This run's pictures are not those of the official release." }
                }
            }
        }
    }
}
