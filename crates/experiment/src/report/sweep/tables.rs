//! The tables of the page: arms, trials, speed, confusion, few pictures, and the tutorial's published results.

use maud::{Markup, html};

use super::{
    analysis::{Analysis, ArmFigures, Pair, Reached, THRESHOLDS},
    numbers::{signed, with_half_width},
    plots,
};
use crate::{
    record::run::ConfusionMatrix,
    report::{
        published::{self, MODEL_1, MODEL_2},
        table::{NOTHING, Row, confusion, confusion_caption, table},
    },
    sweep::{
        arms::{Recipe, SAMPLES},
        record::JobRecord,
        tuning::{RATES, SCHEDULES, TUNED, trial_name, tuned_as},
    },
    system::number,
};

/// A row that starts with an arm's name, in the arm's colour.
fn row(figures: &ArmFigures, cells: impl IntoIterator<Item = String>) -> Row {
    let class = if figures.is_stage_1() { "quiet" } else { plots::ink(figures.name).name() };
    (class, std::iter::once(figures.name.to_owned()).chain(cells).collect())
}

/// Test accuracy of all arms but those trained on few pictures.
pub(super) fn arms(analysis: &Analysis) -> Markup {
    let head = [
        "arm",
        "what it is",
        "seeds",
        "test accuracy, 95\u{a0}% interval",
        "standard deviation",
        "validation, first epoch",
        "validation, mean of all epochs",
    ];
    let stage_1 = analysis.arms.iter().filter(|figures| figures.is_stage_1());
    let rows = analysis.main().chain(stage_1).map(|figures| {
        let deviation = figures.accuracy.deviation;
        let cells = [
            figures.about.clone(),
            figures.accuracy.n.to_string(),
            with_half_width(&figures.accuracy),
            deviation.map_or_else(|| NOTHING.to_owned(), |deviation| format!("{:.2}", deviation * 100.0)),
            number::percent(figures.first_epoch.mean),
            number::percent(figures.area.mean),
        ];
        row(figures, cells)
    });
    table(2, &head, rows)
}

/// The held-out accuracy of each trial; the chosen ones are marked.
pub(super) fn trials(analysis: &Analysis) -> Markup {
    let percent = |trial: &JobRecord| number::percent(trial.last_epoch());
    let mut rows = Vec::new();
    let mut is_unfinished = false;
    for base in TUNED {
        for (schedule, schedule_name) in SCHEDULES {
            let cells = RATES.map(|learning_rate| {
                let recipe = Recipe { learning_rate, schedule };
                let name = trial_name(base, recipe);
                let is_chosen =
                    |figures: &ArmFigures| tuned_as(figures.arm) == Some(base) && figures.arm.recipe == Some(recipe);
                let mark = if analysis.arms.iter().any(is_chosen) { "✓\u{a0}" } else { "" };
                let trial = analysis.trials.iter().find(|trial| trial.arm.name == name)?;
                Some(format!("{mark}{}", percent(trial)))
            });
            if cells.iter().any(Option::is_some) {
                is_unfinished |= cells.iter().any(Option::is_none);
                let cells = cells.map(|cell| cell.unwrap_or_else(|| NOTHING.to_owned()));
                rows.push(("", [base, schedule_name].map(str::to_owned).into_iter().chain(cells).collect()));
            }
        }
    }
    if rows.is_empty() {
        return Markup::default();
    }
    let head = ["arm", "schedule"].map(str::to_owned).into_iter().chain(RATES.map(|rate| rate.to_string()));
    html! {
        h2 { "Tuning trials" }
        (table(2, &head.collect::<Vec<_>>(), rows))
        p.note {
            "Held-out accuracy after the last epoch, by learning rate. For each tuned arm, each pair of a learning rate and a schedule "
            "was tried once, with the first seed. The pair with the highest accuracy was chosen (✓); the choice did not use the test set."
            @if is_unfinished { " – means that it has not been tried yet." }
        }
    }
}

/// How many epochs an arm needs to reach each accuracy.
pub(super) fn speed(analysis: &Analysis) -> Markup {
    let mut head = vec!["arm".to_owned()];
    head.extend(THRESHOLDS.map(|threshold| format!("epochs to {:.0}\u{a0}%", threshold * 100.0)));
    head.push("trainable parameters".to_owned());
    let rows = analysis.main().map(|figures| {
        let mut cells: Vec<String> =
            figures.reached.iter().map(|reached| epochs(reached, figures.accuracy.n)).collect();
        cells.push(number::count(figures.trainable));
        row(figures, cells)
    });
    table(1, &head, rows)
}

/// `3.2 · 28 s`, and `(4/6)` if only 4 of 6 seeds reach it.
fn epochs(reached: &Reached, seeds: usize) -> String {
    let Some(epochs) = reached.epochs else { return NOTHING.to_owned() };
    let seconds = reached.seconds.map_or_else(String::new, |seconds| format!(" · {}", number::duration(seconds)));
    let some = if reached.seeds == seeds { String::new() } else { format!(" ({}/{seeds})", reached.seeds) };
    format!("{epochs:.1}{seconds}{some}").replace(' ', "\u{a0}")
}

/// The confusion matrices of `frozen` and `scratch` over all seeds.
pub(super) fn confusions(analysis: &Analysis) -> Markup {
    let arms: Vec<&ArmFigures> = ["frozen", "scratch"].into_iter().filter_map(|arm| analysis.arm(arm)).collect();
    if arms.is_empty() {
        return Markup::default();
    }
    html! {
        h2 { "Confusion matrices" }
        div.matrices { @for figures in arms {
            div { h3 { (figures.name) } (confusion(&sum(figures), plots::ink(figures.name))) }
        } }
        p.note { (confusion_caption("Test pictures of all seeds")) }
    }
}

/// The confusion matrices of all seeds, added up.
fn sum(figures: &ArmFigures) -> ConfusionMatrix {
    let mut sum = figures.records[0].test.confusion.clone();
    for record in &figures.records[1..] {
        let counts = record.test.confusion.counts.iter().flatten();
        sum.counts.iter_mut().flatten().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sum
}

/// The differences at each number of pictures per class.
pub(super) fn sampled_pairs(analysis: &Analysis) -> Markup {
    let base = |pair: &Pair, arm: &str| pair.arm.split('@').next() == Some(arm);
    let has_pairs = |arm: &&str| analysis.sampled_pairs.iter().any(|pair| base(pair, arm));
    let arms: Vec<&str> = ["frozen", "fine-tune"].into_iter().filter(has_pairs).collect();
    let mut head = vec!["pictures of each class".to_owned()];
    head.extend(arms.iter().map(|arm| format!("{arm} − scratch, points")));
    head.push("seeds".to_owned());
    let rows = SAMPLES.into_iter().filter_map(|size| {
        let find = |arm: &&str| analysis.sampled_pairs.iter().find(|pair| pair.arm == format!("{arm}@{size}"));
        let pairs: Vec<Option<&Pair>> = arms.iter().map(find).collect();
        let mut seeds: Vec<usize> = pairs.iter().flatten().map(|pair| pair.comparison.differences.len()).collect();
        seeds.dedup();
        if seeds.is_empty() {
            return None;
        }
        let difference =
            |pair: &Option<&Pair>| pair.map_or_else(|| NOTHING.to_owned(), |pair| signed(&pair.difference));
        let mut cells = vec![number::count(size as u64)];
        cells.extend(pairs.iter().map(difference));
        cells.push(seeds.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
        Some(("", cells))
    });
    table(1, &head, rows)
}

/// The tutorial's published results, and those of the arms that come closest to it.
pub(super) fn tutorial(analysis: &Analysis) -> Markup {
    let settings = &analysis.results.settings;
    if !settings.data.is_cifar10() || !published::are_published_classes(&settings.source, &settings.target) {
        return Markup::default();
    }
    let mut rows: Vec<Row> = Vec::new();
    for (model, theirs, arms) in [
        ("model_1", MODEL_1, ["pretrain-source-tutorial", "pretrain-source"]),
        ("model_2", MODEL_2, ["tutorial", "frozen-warm"]),
    ] {
        let first = theirs.first.map_or_else(|| NOTHING.to_owned(), number::percent);
        let last = number::percent(theirs.last.1);
        rows.push(("", vec![format!("{model}, published"), first, last, theirs.last.0.to_string()]));
        if let Some(figures) = arms.into_iter().find_map(|arm| analysis.arm(arm)) {
            let last = figures.mean(JobRecord::last_epoch);
            let accuracies = [figures.first_epoch.mean, last].map(number::percent);
            let epochs = settings.epochs_of(figures.arm).to_string();
            let cells = std::iter::once(figures.name.to_owned()).chain(accuracies).chain([epochs]);
            rows.push((plots::ink(figures.name).name(), cells.collect()));
        }
    }
    let has_arms = rows.len() > 2;
    html! {
        h2 { "The tutorial's published results" }
        (table(1, &["validation accuracy", "first epoch", "last epoch", "epochs"], rows))
        p.note {
            "Published: another framework, a GPU, one seed, the official release. "
            @if has_arms { "The other rows are means over seeds. " }
            @if analysis.arm("tutorial").is_some() {
                "Their arms follow the tutorial: all training pictures, validation on the test set, and a head that starts from model_1's."
            } @else {
                @if has_arms { "Their arms were validated on held-out training pictures. " }
                "The arm " code { "tutorial" } ", which follows the tutorial, is not in this sweep."
            }
        }
    }
}
