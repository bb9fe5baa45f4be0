//! The page of a run.

use maud::{Markup, html};

use super::{
    figures, networks, page,
    palette::Ink,
    pictures::Grids,
    published, results,
    table::{confusion, confusion_caption, facts},
};
use crate::{
    record::{
        data::{DataKind, TaskRecord},
        run::{HeadStart, RunRecord},
    },
    system::number,
};

/// The whole `report.html` of a run.
pub fn render(record: &RunRecord, grids: &Grids) -> String {
    let main = html! {
        (opening(record))
        (accuracy(record))
        (samples(record, grids))
        (loss_and_time(record))
        @if !record.unfinished {
            h2 { "Confusion matrix of model_2" }
            figure {
                (confusion(&record.model_2.confusion, Ink::Model2))
                figcaption { (confusion_caption(if record.has_early_stopping() {
                    "Validation pictures after the best epoch, whose weights were restored,"
                } else {
                    "Validation pictures after the last epoch,"
                })) }
            }
            (networks::section(record))
        }
        (reproduction(record))
    };
    let title = format!("Frozen-feature transfer on {}", record.data.subject());
    let kicker = page::kicker(&record.thawline, &record.environment, record.seed);
    let footer = format!("Written by Thawline {} from summary.json, record format {}.", record.thawline, record.format);
    page::document(&title, &kicker, &main, &footer)
}

/// The result, and the caveats about it.
fn opening(record: &RunRecord) -> Markup {
    let published = published::applies_to(record);
    html! {
        @if record.data.kind == DataKind::BuiltIn { (page::built_in_notice(&record.data.sentence)) }
        @if record.unfinished {
            (page::notice("This run has not finished.", "The report is rewritten after each epoch; reload the page for the latest results."))
        } @else {
            @if !record.frozen_unchanged {
                (page::notice("The frozen weights have changed.",
                    "They must stay identical bit for bit; the hashes below show which did not. The results of model_2 are invalid."))
            }
            (results::lead(record))
        }
        (results::table(record))
        p.note {
            "In parentheses: the epoch. Pictures/s: training pictures divided by the time of the epochs, which includes validation \
             but not computing the frozen features."
        }
        (page::caveat("One seed.", html! {
            "Another seed gives somewhat different accuracies. It takes many seeds to tell whether transfer beats training from \
             scratch, or untrained features of the same scale: " code { "thawline sweep" } " makes both comparisons."
        }))
        (page::caveat("Validation on the test set.",
            if record.has_early_stopping() {
                "As in the tutorial, the validation pictures are the test set. They also chose the epoch whose weights each model \
                 keeps, so its accuracy is optimistic."
            } else {
                "As in the tutorial, the validation pictures are the test set. They also chose the best epoch, so its accuracy is \
                 optimistic; quote that of the last."
            }))
        @if record.model_1.is_some() {
            (page::caveat("Two different tests.", html! {
                "The accuracies of model_1 and model_2 cannot be compared: their classes differ."
                @if published { " Classes 5–9 of CIFAR-10 are the easier half." }
            }))
        }
        @if published {
            (page::caveat("The published numbers.", html! {
                "They come from one run in another framework, on a GPU."
                @if record.head == HeadStart::Fresh {
                    " There, the head of model_2 started from model_1's weights; here it is new, so the first epochs differ."
                }
                @if !record.data.official { " This run's pictures are not those of the official release." }
            }))
        }
    }
}

/// A plot's caption: the sentence that always applies, and those whose case does.
fn caption(always: &str, cases: &[(bool, &str)]) -> String {
    [always].into_iter().chain(cases.iter().filter(|case| case.0).map(|case| case.1)).collect::<Vec<_>>().join(" ")
}

fn accuracy(record: &RunRecord) -> Markup {
    let published = published::applies_to(record);
    let has_dropout =
        record.models().any(|(_, _, model)| model.network.layers.iter().any(|layer| layer.kind == "Dropout"));
    let dropout = (has_dropout, "Dropout lowers the training accuracy further.");
    html! {
        h2 { "Accuracy" }
        (page::figure(&figures::accuracy(record), &caption(
            "Accuracy by epoch: bold on the validation pictures after the epoch, thin on the training pictures, averaged over the \
             epoch, while the weights still improve.",
            &[dropout, (published, "Rings are the tutorial's published validation accuracies, in their model's colour.")])))
        @if record.head == HeadStart::Warm {
            (page::caveat("The head was not new.",
                "As in the tutorial's code, model_2's head started from weights trained on other classes, which it had to unlearn in its \
                 first epochs."))
        }
    }
}

fn loss_and_time(record: &RunRecord) -> Markup {
    let published = published::applies_to(record);
    html! {
        h2 { "Loss" }
        (page::figure(&figures::loss(record),
            "Mean cross-entropy by epoch: bold on the validation pictures, thin on the training pictures. Where the bold curve \
             turns upwards, the model begins to overfit."))
        (page::data_files(&["metrics.csv", "metrics.jsonl"]))
        h2 { "Training time" }
        (page::figure(&figures::time(record), &caption("Wall-clock time of training, including validation after each epoch.", &[
            (record.model_2.features_seconds > 0.0,
                "The fainter part of a bar is the time to compute the frozen features, once for all epochs."),
            (published, "The published times were measured on another machine and say nothing about this one."),
        ])))
        (page::caveat("Pretraining not counted.", "The bar of model_2 does not include the training of its features."))
    }
}

fn samples(record: &RunRecord, grids: &Grids) -> Markup {
    let sample = |heading: &str, file: &str, task: &TaskRecord| -> Markup {
        html! {
            @if let Some(grid) = grids.of(file) {
                h3 { (heading) }
                figure {
                    div.pictures {
                        ol.names { @for class in &grid.classes { li { (class) } } }
                        img alt=(grid.description) src=(page::image(&grid.png));
                    }
                    figcaption {
                        "The first training pictures of each class, 32 × 32 pixels each. The model has "
                        (number::count(task.train_examples)) " training and " (number::count(task.val_examples))
                        " validation pictures."
                    }
                }
            }
        }
    };
    html! {
        h2 { "The pictures" }
        p { (record.data.sentence) }
        @if let Some(source) = &record.source { (sample("Source: the classes of model_1", "source.png", source)) }
        (sample("Target: the classes of model_2", "target.png", &record.target))
    }
}

fn reproduction(record: &RunRecord) -> Markup {
    let data = &record.data;
    let release = match data.kind {
        DataKind::BuiltIn => "",
        _ if data.official => ", official release",
        _ => ", not the official release",
    };
    let all = [
        ("machine", Some(page::machine(&record.environment))),
        ("peak memory of the run", record.peak_memory_bytes.map(number::bytes)),
        ("data", Some(format!("{}{release}", data.subject()))),
        ("data read from", data.path.clone()),
        ("SHA-256 of the pictures", data.sha256.clone()),
    ];
    let same = format!(
        "With the same data, seed and version, losses and accuracies are the same to the last bit, for any number of \
         threads, {}. Times are this machine's.",
        page::same_bits(&record.environment.simd)
    );
    html! {
        (page::reproduction(&[page::command_line(&record.command)], &same))
        (facts(all.into_iter().filter_map(|(name, fact)| Some((name, fact?)))))
        details {
            summary { "Every setting of the run" }
            (facts(page::settings("", &record.config)))
        }
    }
}
