//! The report on hand-made records.

mod comparisons;
mod tables;

use super::{Options, analysis::Analysis, files, text};
use crate::{
    models::{Architecture, ConvMethod, Listed, TutorialNetwork},
    record::{
        data::{DataKind, DataRecord},
        fixture,
        options::{Augment, Labels, Schedule},
        run::ConfusionMatrix,
    },
    report::tests::words,
    sweep::{
        arms::{self, Arm, ClassSet, Pretraining, tests::SCOPE},
        merge::Results,
        record::{Epoch, Evaluation, FORMAT, JobRecord, Mistake, Times},
        settings::SweepSettings,
        statistics::CalibrationBin,
        tuning,
    },
};

fn settings() -> SweepSettings {
    let run = fixture::record();
    SweepSettings {
        format: FORMAT,
        thawline: run.thawline,
        data: DataRecord { path: Some("data".to_owned()), ..run.data },
        source_data: None,
        labels: Labels::Fine,
        source: run.source.unwrap().classes,
        target: run.target.classes,
        per_class: None,
        network: TutorialNetwork::default().into(),
        source_epochs: 3,
        epochs: 3,
        learning_rate: 0.001,
        schedule: Schedule::Cosine,
        augment: Augment::default(),
        tuning_seed: None,
        batch_size: 128,
        arithmetic: "fma".to_owned(),
    }
}

/// A job with this many of a thousand test pictures correct. After the first two of its three epochs, validation
/// accuracy is 10 and 2 points lower.
fn record(arm: &Arm, seed: u64, right: u64) -> JobRecord {
    let accuracy = right as f64 / 1000.0;
    let epoch = |below: f64| Epoch { loss: 0.5, accuracy, val_loss: 0.6, val_accuracy: accuracy - below };
    let SweepSettings { thawline, source, target, .. } = settings();
    let half = if arm.classes == ClassSet::Source { source } else { target };
    let classes: Vec<String> = half.into_iter().map(|class| class.name).collect();
    let mut counts = vec![vec![0; 5]; 5];
    counts[0] = vec![right, 1000 - right, 0, 0, 0];
    let is_head = arm.is_head_only();
    JobRecord {
        format: FORMAT,
        thawline,
        settings: settings().hash(),
        arm: arm.clone(),
        seed,
        train_examples: arm.per_class.map_or(22_500, |n| 5 * n),
        epoch_examples: 22_500,
        validation_examples: 2_500,
        trainable: 1_606_405,
        frozen: 38_720,
        history: vec![epoch(0.1), epoch(0.02), epoch(0.0)],
        test: Evaluation {
            examples: 1000,
            accuracy,
            nll: 0.6,
            ece: 0.02,
            calibration: vec![CalibrationBin { predictions: 1000, right, confidence: right as f64 + 20.0 }],
            confusion: ConfusionMatrix { classes: classes.clone(), counts },
            right: Evaluation::pack((0..1000).map(|at| at < right)),
        },
        mistakes: vec![Mistake {
            index: 7,
            class: classes[0].clone(),
            predicted: classes[1].clone(),
            confidence: 0.99999,
            picture: Some("AAAA".to_owned()),
        }],
        classes,
        weights: None,
        times: Times {
            pretraining: if is_head { 30.0 } else { 0.0 },
            features: if is_head { 4.0 } else { 0.0 },
            epochs: vec![if is_head { 2.0 } else { 10.0 }; 3],
            evaluation: 1.0,
        },
        machine: fixture::record().environment,
    }
}

fn results(arms: &[(&str, &[u64])]) -> Results {
    let records = arms.iter().flat_map(|(name, rights)| {
        let arm = arms::named(name, SCOPE).unwrap_or_else(|| Pretraining::SOURCE.arm());
        rights.iter().enumerate().map(move |(seed, &right)| record(&arm, seed as u64, right)).collect::<Vec<_>>()
    });
    Results { settings: settings(), records: records.collect() }
}

fn file(results: &Results, name: &str, options: &Options) -> String {
    let (_, bytes) = files(results, options).into_iter().find(|(other, _)| other == name).unwrap();
    String::from_utf8(bytes.unwrap()).unwrap()
}

/// The text of the paragraphs before the first figure or caveat.
fn answer(results: &Results) -> Vec<String> {
    let page = file(results, "report.html", &Options::default());
    let (_, opening) = page.split_once("<p class=\"lead\">").unwrap();
    let end = ["<figure", "<p class=\"caveat\""].into_iter().filter_map(|next| opening.find(next)).min().unwrap();
    opening[..end].split_terminator("</p>").map(|text| words(&format!("<p>{text}")).trim().to_owned()).collect()
}

const SIX: [(&str, &[u64]); 3] = [
    ("frozen", &[838, 840, 842, 836, 839, 841]),
    ("scratch", &[858, 861, 863, 856, 859, 863]),
    ("frozen-random", &[740, 741, 742, 736, 739, 744]),
];

#[test]
fn the_answer_is_a_sentence_and_its_numbers_follow() {
    // SciPy's Welch intervals of the differences from scratch and frozen-random: 20.67 ± 3.27 and 99 ± 3.19 thousandths.
    assert_eq!(
        answer(&results(&SIX)),
        [
            "On the test pictures, a new head on frozen features is 2.07 ± 0.33 points less accurate than the whole network trained \
             from scratch (95 % interval; 6 of 6 seeds have the mean's sign; adjusted p &lt; 0.001).",
            "With features pretrained on airplane, automobile, bird, cat and deer for 3 epochs, the head reaches 83.93 ± 0.23 % test accuracy \
             on dog, frog, horse, ship and truck after 3 epochs; the network trained from scratch, 86.00 ± 0.30 % \
             (95 % intervals over 6 seeds). After the first epoch, validation accuracy is 73.9 % with the head and 76.0 % \
             from scratch, a difference of −2.07 ± 0.09 points.",
            "The head on frozen features is 9.90 ± 0.32 points more accurate than the same head on untrained features (95 % \
             interval; 6 of 6 seeds have the mean's sign; adjusted p &lt; 0.001). This sweep lacks the arm frozen-random-matched, so it does not say how much of the difference is due to the features' scale.",
            "Training the head took 10.0 s per seed, and training the network from scratch 30.0 s; with pretraining, transfer \
             took 40.0 s (wall-clock time, which other programs on the machine lengthen)."
        ]
    );
}

#[test]
fn differences_that_are_not_significant_are_not_claimed() {
    let says = |arms: &[(&str, &[u64])], paragraph: usize, expected: &str| {
        let text = &answer(&results(arms))[paragraph];
        assert!(text.contains(expected), "{text}");
    };
    let equal: [(&str, &[u64]); 2] =
        [("frozen", &[838, 840, 842, 836, 839, 841]), ("scratch", &[840, 838, 841, 838, 838, 842])];
    says(
        &equal,
        0,
        "is not shown to be more or less accurate than the whole network trained from scratch: test accuracy differs by \
         −0.02 ± 0.25 points (95 % interval; 3 of 6 seeds have the mean's sign; adjusted p = 0.887). A single test at 5 % would have \
         detected a true difference of 0.36 points with a probability of 80 %. The true difference is shown to be less than one point in either \
         direction.",
    );
    let few: [(&str, &[u64]); 3] =
        [("frozen", &[838, 840, 842]), ("scratch", &[858, 861, 863]), ("frozen-random", &[740, 741, 744])];
    says(
        &few,
        0,
        "2.07 ± 0.53 points less accurate than the whole network trained from scratch, but 3 seeds are too few",
    );
    says(&few, 2, "more accurate than the same head on untrained features, but 3 seeds are too few for a claim.");
    let one: [(&str, &[u64]); 2] = [("frozen", &[838]), ("scratch", &[858])];
    says(
        &one,
        0,
        "2.00 points less accurate than the whole network trained from scratch, but 1 seed is too few for a claim \
         (McNemar's test over test pictures: p &lt; 0.001).",
    );
    let samples: [(&str, &[u64]); 6] = [
        SIX[0],
        SIX[1],
        ("frozen@10", &[500, 510, 520]),
        ("scratch@10", &[400, 408, 424]),
        ("frozen@2500", &[800, 810, 820]),
        ("scratch@2500", &[801, 809, 820]),
    ];
    says(
        &samples,
        2,
        "With 10 pictures of each class, frozen minus scratch is +9.93 ± 0.76 points of test accuracy; with 2,500, +0.00 ± 0.25 points \
         (95 % intervals over 3 seeds, too few for a claim).",
    );
    let of_most: [(&str, &[u64]); 2] = [("frozen@2500", &[800, 810]), ("scratch@2500", &[801, 809])];
    let unfinished = [&samples[..4], &of_most].concat();
    says(
        &unfinished,
        2,
        "with 2,500, +0.00 ± 1.27 points over 2 seeds (95 % intervals over 3 seeds, too few for a claim).",
    );
    says(
        &[SIX[0], ("frozen-random", &[200, 210, 205, 201, 204, 206])],
        2,
        "its training accuracy is not significantly above chance (20.0 %).",
    );
    let matched = [SIX[0], SIX[2], ("frozen-random-matched", &[800, 801, 802, 803, 804, 805][..])];
    says(&matched, 2, "more accurate than the same head on untrained features of the same scale (95 % interval");
    says(&[("pixels", &[520])], 0, "The arms frozen and scratch are not both in this sweep");
}

#[test]
fn only_trained_arms_are_in_the_plot_of_depths() {
    let results = results(&[SIX[0], SIX[1], ("depth-1-frozen", &[850; 6])]);
    let svg = file(&results, "plots/depth.svg", &Options::default());
    assert!(svg.contains("by blocks transferred. At the end: frozen 83.9.\""), "{svg}");
}

#[test]
fn figures_are_those_of_the_records() {
    let results = results(&SIX);
    let analysis = Analysis::of(&results, true);
    let frozen = analysis.arm("frozen").unwrap();
    // After the second epoch frozen reaches 81.6 to 82.2, at the end 83.6 to 84.2.
    let reached = frozen.reached;
    assert_eq!((reached[0].seeds, reached[0].epochs, reached[0].seconds), (6, Some(1.0), Some(6.0)));
    assert_eq!((reached[1].seeds, reached[1].epochs, reached[1].seconds), (6, Some(2.0), Some(8.0)));
    assert_eq!((reached[2].seeds, reached[2].epochs, reached[2].seconds), (0, None, None));
    let area = 0.839_333 - 0.12 / 3.0;
    assert!((frozen.area.mean - area).abs() < 1e-6);
    let pair = analysis.pair("frozen", "scratch").unwrap();
    assert_eq!(pair.comparison.differences.len(), 6);
    assert_eq!(pair.comparison.sign_flip_p, Some(0.03125));
    assert!(pair.comparison.is_shown());
    assert_eq!(analysis.pairs.len(), 3, "any two arms");
    let with_stage_1 = self::results(&[("frozen", &[838]), ("pretrain-source", &[750])]);
    let with_stage_1 = Analysis::of(&with_stage_1, true);
    assert_eq!((with_stage_1.main().count(), with_stage_1.pairs.len()), (1, 0), "stage 1 learns other classes");
    assert!(with_stage_1.arms[1].is_stage_1());
    let json: serde_json::Value = serde_json::from_str(&file(&results, "report.json", &Options::default())).unwrap();
    assert_eq!(json["pairs"].as_array().unwrap().len(), 3);
}

#[test]
fn without_times_a_report_is_a_function_of_the_results() {
    let ours = results(&SIX);
    let mut theirs = ours.clone();
    for record in &mut theirs.records {
        record.times.epochs.iter_mut().for_each(|seconds| *seconds *= 3.7);
        record.machine.cpu = "another processor".to_owned();
        record.machine.date = "2027-01-01T00:00:00Z".to_owned();
    }
    let without = Options { no_times: true, ..Options::default() };
    assert!(files(&ours, &without) == files(&theirs, &without));
    assert_eq!(text(&ours, true), text(&theirs, true));
    assert!(files(&ours, &Options::default()) != files(&theirs, &Options::default()));
    let time =
        |options: &Options| files(&ours, options).into_iter().find(|(name, _)| name == "plots/time.svg").unwrap().1;
    assert!(time(&without).is_none() && time(&Options::default()).is_some(), "an older plot of the times is removed");
    let page = file(&ours, "report.html", &without);
    assert!(!page.contains("EPYC") && !page.contains("2026-11-24"));
}

#[test]
fn the_page_has_the_note_the_caveats_and_the_commands() {
    let few: &[u64] = &[500, 510, 520];
    let samples = arms::select("samples", SCOPE).unwrap();
    let mut all: Vec<(&str, &[u64])> = SIX.to_vec();
    all.push(("fine-tune", &[868, 871, 873, 866, 869, 873]));
    all.extend(samples.iter().filter(|arm| arm.per_class.is_some()).map(|arm| (arm.name.as_str(), few)));
    let results = results(&all);
    let options = Options { note: Some("Pictures <compressed> once.".to_owned()), ..Options::default() };
    let page = file(&results, "report.html", &options);
    assert!(page.contains("<li>Pictures &lt;compressed&gt; once.</li>"), "a note is escaped");
    assert!(page.contains("32 arms have fewer than 6 seeds"));
    assert!(page.contains(
        "thawline sweep --arms frozen,scratch,frozen-random,fine-tune --seeds 0..6 --epochs 3 --data data --out sweep"
    ));
    assert!(
        page.contains("thawline sweep --arms samples --seeds 0..3 --epochs 3 --data data --out sweep"),
        "a group is named, not spelled out"
    );
    assert!(page.contains("more than 99.9\u{a0}%"), "no network is 100.0 % sure");
    for plot in ["accuracy", "differences", "samples", "reliability", "time"] {
        let svg = file(&results, &format!("plots/{plot}.svg"), &options);
        assert!(svg.starts_with("<svg"), "{plot}");
    }
}

#[test]
fn a_tie_is_no_gain_and_no_mistake_needs_no_heading() {
    let mut tie = results(&[("frozen", &[870]), ("scratch", &[870])]);
    assert!(answer(&tie)[0].contains("was as accurate as the whole network"), "{}", answer(&tie)[0]);
    let heading = "Most confident mistakes";
    assert!(file(&tie, "report.html", &Options::default()).contains(heading));
    tie.records.iter_mut().for_each(|record| record.mistakes.clear());
    assert!(!file(&tie, "report.html", &Options::default()).contains(heading));
}

#[test]
fn the_command_gives_the_same_results() {
    let mut results = results(&SIX[..2]);
    let command = |results: &Results, expected: &str| {
        let page = file(results, "report.html", &Options::default()).replace("&#39;", "'");
        assert!(page.contains(expected), "{expected}");
    };
    // The default of --source is all classes of another data set.
    results.settings.source_data =
        Some(DataRecord { classes: (0..100).map(|n| format!("class {n}")).collect(), ..results.settings.data.clone() });
    command(&results, " --source 0,1,2,3,4");
    results.settings.source_data = None;
    results.settings.tuning_seed = Some(0);
    results.records.retain(|record| record.seed % 2 == 1);
    command(&results, " --seeds 0,1,3,5");
    results.settings.network =
        Architecture::Listed(Listed { conv_method: ConvMethod::Naive, size: 32, layers: Vec::new(), origin: None });
    command(&results, " --model network.toml --conv-method naive");
    results.settings.arithmetic = "portable".to_owned();
    command(&results, " --simd portable");
    // A foreign record may have any name.
    results.records.iter_mut().for_each(|record| record.arm.name = format!("split-{}", u32::MAX));
    command(&results, " --splits 126");
}

#[test]
fn other_pictures_are_never_called_cifar_10() {
    let mut drawn = results(&SIX);
    drawn.settings.data.kind = DataKind::BuiltIn;
    let page = file(&drawn, "report.html", &Options::default());
    assert!(page.contains("These are built-in pictures, not CIFAR-10.") && !page.contains("model_1, published"));
    let mut foreign = results(&SIX);
    foreign.settings.data.classes[3] = "sheep".to_owned();
    let page = file(&foreign, "report.html", &Options::default());
    assert!(page.contains("<h1>What transfer is worth on pictures in CIFAR-10's format</h1>"));
    assert!(!page.contains("published"));
    let mut ours = results(&[("pretrain-source", &[800]), SIX[0]]);
    ours.settings.source_epochs = 7;
    let page = file(&ours, "report.html", &Options::default());
    let (_, table) = page.split_once("model_1, published").unwrap();
    let (_, row) = table.split_once("pretrain-source").unwrap();
    assert!(words(&row.replace('<', " <")).split_whitespace().take(5).eq(["70.00", "%", "80.00", "%", "7"]), "{row}");
}

#[test]
fn a_sweep_of_splits_opens_with_their_differences() {
    // Frozen features gain 20 and 10 points in split 1, and lose 10 and gain 0 in split 2.
    let rights = [(1, [700, 600], [500, 500]), (2, [500, 600], [600, 600])];
    let records = rights.into_iter().flat_map(|(split, frozen, scratch)| {
        let arm = |suffix: &str| arms::named(&format!("split-{split}{suffix}"), SCOPE).unwrap();
        let stage_1 = |classes| Pretraining::of(classes).arm();
        [
            record(&arm(""), 0, frozen[0]),
            record(&arm("-reversed"), 0, frozen[1]),
            record(&stage_1(ClassSet::SplitTarget(split)), 0, scratch[0]),
            record(&stage_1(ClassSet::SplitSource(split)), 0, scratch[1]),
        ]
    });
    let results = Results { settings: settings(), records: records.collect() };
    let plot = file(&results, "plots/splits.svg", &Options::default());
    for label in ["2 splits", "+5.00", "split 1", "+15.00", "split 2", "−5.00", "frozen is better"] {
        assert!(plot.contains(label), "{label}");
    }
    let page = file(&results, "report.html", &Options::default());
    assert!(page.contains("Intervals over splits.") && !page.contains("Intervals over seeds."));
    let table = file(&results, "splits.csv", &Options::default());
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let differences: Vec<f64> = rows[1][1..4].iter().map(|cell| cell.parse().unwrap()).collect();
    assert!((rows.len(), rows[1][0]) == (3, "1") && rows[0][3] == "difference_mean", "{table}");
    assert!(differences.iter().zip([0.2, 0.1, 0.15]).all(|(a, b)| (a - b).abs() < 1e-12), "{table}");
    let without = files(&self::results(&SIX), &Options::default());
    assert!(without.iter().any(|(name, bytes)| name == "splits.csv" && bytes.is_none()));
    assert!(!page.contains("<h2>Learning curves</h2>"), "there are none");
    // A split with one direction is unfinished.
    let unfinished = Results { records: results.records[..7].to_vec(), ..results };
    let plot = file(&unfinished, "plots/splits.svg", &Options::default());
    assert!(plot.contains("+15.00") && !plot.contains("split 2"), "{plot}");
}

#[test]
fn trials_have_a_row_for_each_schedule_and_a_column_for_each_learning_rate() {
    let arms = vec![arms::named("scratch", SCOPE).unwrap()];
    let trials = tuning::trials(&arms, 0).into_iter().zip(800..);
    let mut records: Vec<JobRecord> = trials.map(|(job, right)| record(&job.arm, 0, right)).collect();
    let tuned = tuning::with_best_recipes(arms, &records);
    records.push(record(&tuned[0], 0, 808));
    let page = file(&Results { settings: settings(), records }, "report.html", &Options::default());
    let (_, table) = page.split_once("Tuning trials").unwrap();
    let table = words(&table.replace('<', " <")).replace('\u{a0}', " ");
    let expected = "arm schedule 0.0003 0.001 0.003 scratch constant 80.00 % 80.30 % 80.60 % \
        scratch cosine 80.10 % 80.40 % 80.70 % scratch one-cycle 80.20 % 80.50 % ✓ 80.80 %";
    assert!(table.split_whitespace().collect::<Vec<_>>().join(" ").contains(expected), "{table}");
}
