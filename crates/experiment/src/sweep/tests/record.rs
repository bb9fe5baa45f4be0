//! Records that were damaged or forged.

use super::*;
use crate::sweep::record::{Evaluation, FORMAT, JobRecord};

/// A change that makes a record contradictory, and the words of the error.
type Forgery = (fn(&mut JobRecord), &'static str);

/// A record of three classes, 10 test pictures and one epoch.
pub(super) fn record() -> JobRecord {
    let json = serde_json::json!({
        "format": FORMAT, "thawline": "0.0.0", "settings": "", "arm": arm("frozen"), "seed": 0,
        "classes": ["a", "b", "c"], "train_examples": 20, "epoch_examples": 20, "validation_examples": 5,
        "trainable": 20, "frozen": 38,
        "history": [{ "loss": 1.5, "accuracy": 0.5, "val_loss": 1.25, "val_accuracy": 0.5 }],
        "test": {
            "examples": 10, "accuracy": 0.7, "nll": 0.875, "ece": 0.1,
            "calibration": [{ "predictions": 10, "right": 7, "confidence": 8.0 }],
            "confusion": { "classes": ["a", "b", "c"], "counts": [[3, 1, 0], [0, 2, 2], [0, 0, 2]] },
            "right": "fwA=",
        },
        "mistakes": [{ "index": 3, "class": "b", "predicted": "c", "confidence": 0.9, "picture": "AAAA" }],
        "times": { "pretraining": 0.0, "features": 0.0, "epochs": [0.5], "evaluation": 0.25 },
        "machine": crate::system::machine::environment(std::time::SystemTime::now()),
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn one_changed_digit_is_refused() {
    let bytes = record().to_json();
    assert_eq!(JobRecord::parse(&bytes).unwrap(), record());
    let digits = |bytes: &[u8]| (0..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).collect::<Vec<_>>();
    for at in digits(&bytes) {
        let mut changed = bytes.clone();
        changed[at] = b'0' + (changed[at] - b'0' + 1) % 10;
        assert!(JobRecord::parse(&changed).is_err(), "{}", String::from_utf8_lossy(&changed[..=at]));
    }
    for length in 0..bytes.len() - 1 {
        assert!(JobRecord::parse(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_contradictory_record_is_refused_even_if_its_seal_is_valid() {
    let forgeries: [Forgery; 16] = [
        (
            |record| record.test.accuracy = 0.9,
            "its accuracy is 0.9, but its confusion matrix has 7 of 10 pictures right",
        ),
        (|record| record.test.ece = 0.2, "its calibration error is 0.2, but its bins give 0.1"),
        (|record| record.test.confusion.counts[0][0] = 4, "its confusion matrix does not count 10 test pictures"),
        (|record| record.test.confusion.counts[0] = vec![u64::MAX; 3], "does not count 10 test pictures"),
        (|record| record.test.confusion.classes.reverse(), "its confusion matrix does not have its 3 classes"),
        (|record| drop(record.test.confusion.counts.pop()), "its confusion matrix does not have its 3 classes"),
        (|record| record.test.calibration[0].right = 8, "its calibration does not count the pictures of its confusion"),
        (
            |record| record.mistakes[0].predicted = "a".to_owned(),
            "it shows a mistake that its confusion matrix does not",
        ),
        (|record| record.mistakes[0].class = "c".to_owned(), "it shows a mistake that its confusion matrix does not"),
        (|record| record.times.epochs.push(0.5), "it has times of 2 epochs, and results of 1"),
        (|record| record.history[0].val_accuracy = 1.5, "1.5 is not a fraction from 0 to 1"),
        (|record| record.test.calibration[0].confidence = 11.0, "a total confidence of 11"),
        (|record| record.test.nll = -1.0, "-1.0 is not a loss or a time"),
        (|record| record.format = FORMAT + 1, "it has format 4; this program reads format 3"),
        (
            |record| record.test.right = Evaluation::pack([true; 10]),
            "its test.right does not have 10 bits with 7 of them set",
        ),
        (
            |record| record.test.right = Evaluation::pack([true; 7]),
            "its test.right does not have 10 bits with 7 of them set",
        ),
    ];
    for (forge, words) in forgeries {
        let mut record = record();
        forge(&mut record);
        let reason = JobRecord::parse(&record.to_json()).unwrap_err();
        assert!(reason.contains(words), "{words}: {reason}");
    }
}

#[test]
fn records_without_a_seal_are_refused() {
    let unsealed = serde_json::to_vec_pretty(&record()).unwrap();
    assert!(JobRecord::parse(&unsealed).unwrap_err().contains("it does not start with its sha256"));
    // The same values in another form do not match the seal.
    let compact = serde_json::from_slice::<serde_json::Value>(&record().to_json()).unwrap().to_string();
    assert!(JobRecord::parse(compact.as_bytes()).unwrap_err().contains("it does not start with its sha256"));
}

#[test]
fn bits_are_packed_and_unpacked() {
    for examples in [0, 1, 7, 8, 9, 5000] {
        let bits: Vec<bool> = (0..examples).map(|at| at * at % 7 < 3).collect();
        let test = Evaluation { examples, right: Evaluation::pack(bits.iter().copied()), ..record().test };
        assert_eq!(test.unpack(), Some(bits));
        assert_eq!(Evaluation { examples: examples + 9, ..test }.unpack(), None);
    }
}
