//! User errors: exit code 2, one line that names the mistake, nothing written.

use std::fs;

use crate::invocation::{Call, Place, archive};

fn assert_refused(place: &Place, call: &Call, words: &str, what: &str) {
    call.assert_refused(words);
    assert!(!place.names().iter().any(|name| name.starts_with("run")), "{what}: something was written");
}

#[test]
fn wrong_flags_are_refused() {
    let place = Place::new();
    for (flags, words) in [
        ("--epochs 0", "'0' for '--epochs <N>': expected a whole number, at least 1"),
        ("--epochs 3000000000", "'--epochs <N>': expected at most 2,147,483,648"),
        ("--batch-size 0", "'--batch-size <N>': expected a whole number, at least 1"),
        ("--batch-size -4", "'-4' for '--batch-size <N>'"),
        ("--epochs 2.5", "'--epochs <N>': expected a whole number"),
        ("--learning-rate nan", "'nan' for '--learning-rate <RATE>': expected a number above 0"),
        ("--learning-rate -0.1", "'-0.1' for '--learning-rate <RATE>': expected a number above 0"),
        ("--learning-rate 0", "expected a number above 0"),
        ("--learning-rate inf", "expected a number above 0"),
        ("--dropout 1.5", "'1.5' for '--dropout <RATE[,RATE]>': expected a rate, at least 0 and below 1"),
        ("--dropout 1", "expected a rate, at least 0 and below 1"),
        ("--dropout 0.1,-0.1", "expected a rate, at least 0 and below 1"),
        ("--threads 0", "'--threads <N>': expected a whole number, at least 1"),
        ("--threads 100000", "expected at most 1,024 threads"),
        ("--threads 3000000000", "expected at most 1,024 threads"),
        ("--epochs 20000000000000000000", "expected at most 2,147,483,648"),
        ("--limit 0", "'--limit <N>': expected a whole number, at least 1"),
        ("--filters 8,8,8", "'--filters <N[,N]>'"),
        ("--pool 0", "'--pool <N>': expected a whole number, at least 1"),
        ("--kernel 0", "'--kernel <N>': expected a whole number, at least 1"),
        ("--seed -1", "'-1' for '--seed <N>': expected a whole number from 0"),
        ("--head lukewarm", "'lukewarm' for '--head <START>'; expected one of fresh, warm"),
        ("--cache maybe", "expected one of auto, on, off"),
        ("--simd avx1024", "unknown SIMD level 'avx1024': expected portable, neon, avx2 or avx512"),
        ("--conv-method magic", "expected one of auto, naive, im2col, implicit, winograd"),
        ("--epoch 3", "unknown argument '--epoch'; did you mean '--epochs'? see --help"),
        ("--json --json", "'--json' is given twice"),
        ("data/", "unknown argument 'data/'"),
    ] {
        assert_refused(&place, &place.call_run(flags), words, flags);
    }
}

#[test]
fn inconsistent_flags_are_refused() {
    let place = Place::new();
    for (flags, words) in [
        ("--source 0-12", "--source 0-12: unknown class 12; expected 0 to 9"),
        ("--source 0-4 --target 4-9", "--source and --target share 4 (tree)"),
        ("--target horse,boat", "unknown class 'horse'; expected labels, ranges or names of fish, house"),
        (
            "--kernel 40",
            "layer 1 'conv2d_1' (Conv2D) cannot take an input of 32 x 32 x 3: its 40 x 40 kernel is larger",
        ),
        ("--kernel 20", "layer 3 'conv2d_2' (Conv2D) cannot take an input of 13 x 13 x 8"),
        ("--pool 29", "layer 5 'max_pooling2d_1' (MaxPooling2D) cannot take an input of 28 x 28 x 8"),
        ("--kernel 5 --conv-method winograd", "Winograd's method needs a 3 x 3 kernel"),
        ("--freeze conv2d_9", "--freeze: there is no layer 'conv2d_9'; the layers are conv2d_1, "),
        ("--freeze dense_2", "--freeze dense_2 leaves nothing to train"),
        ("--head warm --target 5-7", "--head warm needs as many target classes as source classes"),
        ("--filters 100000", "parameters; expected at most 1,000,000,000: use fewer filters or units"),
        ("--dense 2000000000", "parameters; expected at most 1,000,000,000"),
    ] {
        assert_refused(&place, &place.call_run(flags), words, flags);
    }
}

#[test]
fn wrong_subcommands_are_refused() {
    let place = Place::new();
    assert_refused(&place, &place.call(["train"]), "unknown command 'train'", "train");
    assert_refused(&place, &place.call(["per"]), "'per'; did you mean one of 'report', 'export'? see --help", "per");
    assert_refused(&place, &place.call(["summary", "--classes", "0"]), "'--classes <N>'", "summary");
    assert_refused(&place, &place.call(["summary", "--freeze", "x"]), "--freeze: there is no layer 'x'", "summary");
    assert_refused(&place, &place.call(["data", "synth", "x", "--train", "7"]), "7", "an uneven synth");
    assert_refused(&place, &place.call(["data", "synth"]), "<OUT>", "synth without a path");
    let call = place.call(["data"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("verify"), "the help: {}", call.stderr);
}

#[test]
fn wrong_data_are_refused() {
    let place = Place::new();
    fs::write(place.path("empty.tar.gz"), "").unwrap();
    fs::write(place.path("page.tar.gz"), "<!DOCTYPE html>").unwrap();
    fs::create_dir(place.path("nothing")).unwrap();
    let bytes = fs::read(archive()).unwrap();
    fs::write(place.path("cut.tar.gz"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(place.path("twice.tar.gz"), [&bytes[..], &bytes].concat()).unwrap();
    let made = place.call(["data", "synth", "label", "--train", "50", "--test", "10"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let file = place.path("label/data_batch_2.bin");
    let mut records = fs::read(&file).unwrap();
    records[3 * 3073] = 10;
    fs::write(file, records).unwrap();
    for (path, words) in [
        ("nowhere", "--data: nowhere: no such file or folder; expected a CIFAR .tar.gz archive"),
        ("empty.tar.gz", "--data: empty.tar.gz: is empty (0 bytes)"),
        ("page.tar.gz", "is not a gzip file: it starts with 3c 21"),
        ("cut.tar.gz", "cut.tar.gz: ends too early"),
        ("twice.tar.gz", "twice.tar.gz: has data after the end of its tar archive"),
        ("label", "label: data_batch_2.bin, record 3 (byte 9219): label 10, expected 0 to 9"),
        ("nothing", "nothing: contains no CIFAR data: it is empty; looked for cifar-10-binary.tar.gz"),
    ] {
        assert_refused(&place, &place.call_run(&format!("--data {path}")), words, path);
        for subcommand in ["info", "verify", "samples"] {
            let call = place.call(["data", subcommand, path]);
            assert_refused(&place, &call, words.trim_start_matches("--data: "), &format!("data {subcommand} {path}"));
        }
    }
    let output = place.command(["run"]).env("THAWLINE_DATA", "elsewhere").output().unwrap();
    assert_refused(&place, &output.into(), "THAWLINE_DATA: elsewhere: no such file or folder", "THAWLINE_DATA");
}

#[test]
fn a_level_that_is_unknown_or_that_the_cpu_lacks_is_refused() {
    let place = Place::new();
    let lacking = if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" };
    let words = format!("--simd: this CPU has no {lacking}; the highest level it runs is ");
    assert_refused(&place, &place.call(["info", "--simd", lacking]), &words, "--simd");
    let output = place.command(["info"]).env("THAWLINE_SIMD", "mmx").output().unwrap();
    assert_refused(&place, &output.into(), "THAWLINE_SIMD: unknown SIMD level 'mmx'", "THAWLINE_SIMD");
}

#[test]
fn a_run_folder_that_is_in_use_or_a_file_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/precious"), "1").unwrap();
    assert_refused(&place, &place.call_run("--out full"), "full is not empty", "a full folder");
    assert_refused(&place, &place.call_run("--out full/precious"), "is a file, not a folder", "a file");
    assert_eq!(fs::read_to_string(place.path("full/precious")).unwrap(), "1");
}
