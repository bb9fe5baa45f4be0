//! The report of a run as a whole.

use super::*;
use crate::record::{
    fixture,
    pictures::ReportPictures,
    run::{ConfusionMatrix, ModelRecord, RunRecord},
};

/// The words of a page, without tags.
pub(super) fn words(html: &str) -> String {
    let body = html.split_once("<body>").map_or(html, |(_, body)| body);
    body.split('<')
        .map(|part| part.split_once('>').map_or("", |(_, text)| text))
        .collect::<String>()
        .replace('\u{a0}', " ")
}

fn page(record: &RunRecord) -> String {
    render(record, &Grids::new(record, &fixture::pictures()))
}

#[test]
fn the_same_record_gives_the_same_bytes_even_when_read_back() {
    let record = fixture::record();
    let html = page(&record);
    assert_eq!(html, page(&record));
    let read_back = RunRecord::from_json(record.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(html, page(&read_back));
    assert_eq!(plots(&record), plots(&read_back));
}

#[test]
fn the_page_is_self_contained() {
    let html = page(&fixture::record());
    for foreign in ["<script", "<link", "@import", "src=\"http", "href=\"http", "url("] {
        assert!(!html.contains(foreign), "the page contains {foreign}");
    }
    let sources: Vec<&str> = html.split("src=\"").skip(1).collect();
    assert_eq!(sources.len(), 2);
    assert!(sources.iter().all(|source| source.starts_with("data:image/png;base64,iVBORw0KGgo")));
}

#[test]
fn the_numbers_of_the_record_are_on_the_page() {
    let record = fixture::record();
    let words = words(&page(&record));
    let best = record.model_1.as_ref().unwrap().best().unwrap();
    let last = record.model_2.last().unwrap();
    let untrained = record.frozen_random.as_ref().unwrap().last().unwrap();
    for expected in [
        format!("{:.2} % ({})", best.val_accuracy * 100.0, best.epoch),
        format!("{:.2} % (20)", last.val_accuracy * 100.0),
        "on the first layers of model_1 (38,720 parameters), which are frozen".to_owned(),
        "24.8 s for model_2, together 113.2 s".to_owned(),
        "1,606,405 trainable, 38,720 frozen".to_owned(),
        format!(
            "The same head on untrained features (frozen-random) reaches {:.1} %; guessing gives 20.0 %.",
            untrained.val_accuracy * 100.0
        ),
        "the difference does not say how much pretraining adds.".to_owned(),
        "features 5.6 s, head 19.1 s".to_owned(),
        "thawline --data 'my pictures/cifar-10-binary.tar.gz' --seed 7".to_owned(),
        "training.learning_rate0.001".to_owned(),
        record.frozen[2].before.clone(),
        "12,544".to_owned(),
    ] {
        assert!(words.contains(&expected), "the page does not say {expected:?}");
    }
}

#[test]
fn published_results_are_shown_only_for_the_same_experiment() {
    let published = |record: &RunRecord| {
        let on_page = words(&page(record)).contains("77.42 %");
        assert_eq!(on_page, plots(record)[0].1.contains(">77.42<"), "page and plot differ");
        on_page
    };
    assert!(published(&fixture::record()));
    assert!(!published(&fixture::built_in_record()));
    let mut reversed = fixture::record();
    std::mem::swap(reversed.source.as_mut().unwrap(), &mut reversed.target);
    assert!(!published(&reversed));
    let mut foreign = fixture::record();
    foreign.data.classes[3] = "sheep".to_owned();
    assert!(!published(&foreign));
    assert!(page(&foreign).contains("<h1>Frozen-feature transfer on pictures in CIFAR-10's format</h1>"));
}

#[test]
fn with_early_stopping_the_results_are_those_of_the_weights_that_are_kept() {
    let mut record = fixture::record();
    let best = *record.model_2.best().unwrap();
    assert_ne!(best.epoch, record.model_2.last().unwrap().epoch);
    let says = |record: &RunRecord, epoch: u32, accuracy: f64, matrix: &str| {
        let words = words(&page(record)).replace('\u{a0}', " ");
        let result = format!("model_2 classifies {:.1} % of", accuracy * 100.0);
        for expected in [&*result, &format!("correctly after {epoch} epochs"), matrix] {
            assert!(words.contains(expected), "the page does not say {expected:?}");
        }
    };
    says(&record, 20, record.model_2.last().unwrap().val_accuracy, "Validation pictures after the last epoch,");
    record.config["early-stopping"] = 2.into();
    says(&record, best.epoch, best.val_accuracy, "after the best epoch, whose weights were restored,");
}

#[test]
fn features_from_a_file_are_not_called_model_1s() {
    let record = fixture::record_from_file();
    let from = record.from.as_ref().unwrap();
    let words = words(&page(&record));
    for expected in [
        &from.path,
        &from.sha256,
        "conv2d_2/kernelMISMATCHED3 × 3 × 64 × 323 × 3 × 64 × 64",
        "dense_3/kernelskipped5 × 5–",
    ] {
        assert!(words.contains(expected), "the page does not say {expected:?}");
    }
    let usual = self::words(&page(&fixture::record()));
    for of_model_1 in
        ["model_1 validation", "model_1, published", "Two different tests.", "Source: the classes", "77.42 %"]
    {
        assert!(usual.contains(of_model_1), "{of_model_1:?} is on no page");
        assert!(!words.contains(of_model_1), "the page says {of_model_1:?}");
    }
    assert!(plots(&record).iter().all(|(_, svg)| !svg.contains("model_1")));
}

#[test]
fn built_in_pictures_are_named_wherever_they_are_shown() {
    let record = fixture::built_in_record();
    let words = words(&page(&record));
    let (before_results, _) = words.split_once("validation accuracy").unwrap();
    assert!(before_results.contains("These are built-in pictures, not CIFAR-10."));
    for (name, svg) in plots(&record) {
        assert!(svg.contains("built-in pictures"), "{name} hides what it was measured on");
    }
    for (name, png) in Grids::new(&record, &fixture::pictures()).files() {
        let text = png.windows(17).any(|bytes| bytes == b"built-in pictures");
        assert!(text, "{name} hides what it shows");
    }
}

#[test]
fn names_cannot_break_the_page_or_a_plot() {
    let evil = r#"</td><script>alert("cat & dog")</script>"#;
    let mut record = fixture::record();
    record.source.as_mut().unwrap().classes[0].name = evil.to_owned();
    record.model_2.confusion.classes[1] = evil.to_owned();
    record.model_2.network.layers[0].name = evil.to_owned();
    record.data.sentence = evil.to_owned();
    record.command.push(evil.to_owned());
    record.config = serde_json::json!({ evil: evil });
    record.environment.cpu = evil.to_owned();
    let mut pictures = fixture::pictures();
    pictures.target[0].class = evil.to_owned();
    let html = render(&record, &Grids::new(&record, &pictures));
    assert!(!html.contains("<script"), "a name became an element");
    assert!(html.contains("&lt;script&gt;alert(&quot;cat &amp; dog&quot;)"));
}

#[test]
fn plots_are_well_formed_and_hold_every_epoch() {
    let record = fixture::record();
    for (name, svg) in plots(&record) {
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(document.root_element().attribute("aria-label").is_some_and(|label| label.contains("model_2")));
        for element in document.descendants() {
            for property in ["fill", "stroke"] {
                if element.attribute(property).is_some_and(|color| color.starts_with('#')) {
                    let class = element.attribute("class").unwrap_or_default();
                    assert!(class.contains(property), "{name}: {element:?} keeps its colour on a dark page");
                }
            }
        }
    }
    let [(_, accuracy), ..] = plots(&record);
    let document = roxmltree::Document::parse(&accuracy).unwrap();
    let polylines = document.descendants().filter(|node| node.has_tag_name("polyline"));
    let curves = polylines.filter(|node| node.attribute("points").unwrap().split_whitespace().count() == 20);
    assert_eq!(curves.count(), 6, "two models and the control, validation and training");
}

#[test]
fn unusual_runs_have_a_report() {
    let changed = |change: fn(&mut RunRecord)| {
        let mut record = fixture::record();
        change(&mut record);
        record
    };
    let empty = changed(|record| {
        for model in [record.model_1.as_mut().unwrap(), &mut record.model_2] {
            model.history.clear();
            model.total_seconds = 0.0;
        }
        record.model_2.confusion = ConfusionMatrix { classes: vec!["cat".to_owned()], counts: vec![vec![]] };
        record.frozen.clear();
    });
    let short = changed(|record| {
        record.model_1.as_mut().unwrap().history.truncate(1);
        record.model_2.history.truncate(1);
    });
    let flat = changed(|record| {
        for row in record.model_1.as_mut().unwrap().history.iter_mut().chain(&mut record.model_2.history) {
            (row.accuracy, row.val_accuracy, row.loss, row.val_loss) = (1.0, 1.0, 0.0, 0.0);
        }
    });
    let wild = changed(|record| record.model_1.as_mut().unwrap().history[0].loss = 3e38);
    let draft = changed(|record| {
        record.unfinished = true;
        record.frozen_random = None;
        record.model_1.as_mut().unwrap().history.truncate(2);
        record.model_2 = ModelRecord::default();
    });
    assert!(words(&page(&draft)).contains("This run has not finished."));
    for record in [draft, empty, short, flat, wild, fixture::record_from_file()] {
        let html = render(&record, &Grids::new(&record, &ReportPictures::default()));
        assert!(html.ends_with("</html>"));
        for (name, svg) in plots(&record) {
            assert!(roxmltree::Document::parse(&svg).is_ok(), "{name}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        }
    }
}

#[test]
fn names_are_enumerated() {
    assert_eq!(page::enumeration(["cat"]), "cat");
    assert_eq!(page::enumeration(["cat", "dog", "ship"]), "cat, dog and ship");
    assert_eq!(page::enumeration(["a"; 50]), "50 classes");
}

/// Writes sample reports for inspection: `THAWLINE_SAMPLES=DIR cargo test sample_reports -- --ignored`.
#[test]
#[ignore = "writes files to look at"]
fn sample_reports() {
    let folder = std::path::PathBuf::from(std::env::var_os("THAWLINE_SAMPLES").expect("THAWLINE_SAMPLES=DIR"));
    for (name, record) in [
        ("cifar-10", fixture::record()),
        ("built-in", fixture::built_in_record()),
        ("from-file", fixture::record_from_file()),
    ] {
        let folder = crate::run::folder::RunFolder::create(&folder.join(name), record.data.kind).unwrap();
        folder.finish(&record, &fixture::pictures()).unwrap();
    }
}
