//! The pictures are the same on every machine, balanced, and not classified by simple averages.

use std::collections::HashSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::canvas::{Canvas, Pose};
use crate::chance::Chance;
use crate::paint::{Colour, Palette};
use crate::pen::Pen;
use crate::{AREA, CLASSES, DRAWINGS, Pixels, Size, Split, draw, records};

fn sha256(pictures: impl Iterator<Item = Pixels>) -> String {
    let mut hash = Sha256::new();
    pictures.for_each(|pixels| hash.update(pixels));
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        hex
    })
}

/// Any change to a drawing changes this hash, and then the numbers in the crate's documentation must be measured again.
/// The hash must not differ between machines, systems or compilers.
#[test]
fn pictures_are_the_same_everywhere() {
    let train = (0..10).map(|class| draw(1, Split::Train, class, 0));
    let test = (0..10).map(|class| draw(u64::MAX, Split::Test, class, 199));
    assert_eq!(sha256(train.chain(test)), "78b834b10ba416c05a03140bbe10f0dab2d3d6efb0f2ae17cbaeb03408e0dcd9");
}

#[test]
fn every_part_of_the_address_matters() {
    let picture = draw(1, Split::Train, 3, 7);
    assert!(picture == draw(1, Split::Train, 3, 7));
    let others = [
        draw(2, Split::Train, 3, 7),
        draw(1, Split::Test, 3, 7),
        draw(1, Split::Train, 4, 7),
        draw(1, Split::Train, 3, 8),
    ];
    assert!(others.iter().all(|other| *other != picture));
}

#[test]
fn classes_are_balanced_and_mixed() {
    for (count, fewest, most) in [(400, 40, 40), (123, 12, 13), (7, 0, 1), (0, 0, 0)] {
        let labels: Vec<u8> = records(1, Split::Test, count).map(|(label, _)| label).collect();
        assert_eq!(labels.len(), count);
        for class in 0..10 {
            let members = labels.iter().filter(|&&label| label == class).count();
            assert!((fewest..=most).contains(&members), "{members} of class {class} in {count}");
        }
        // Shuffled labels decrease in almost half of the pairs; sorted or repeating ones in at most one of ten.
        let falls = labels.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(count < 100 || falls > count / 3, "labels of {count} records fall only {falls} times");
    }
}

#[test]
fn records_are_the_drawings_shuffled() {
    let drawn: HashSet<(u8, Pixels)> =
        (0..50).map(|i| ((i % 10) as u8, draw(5, Split::Train, i % 10, i / 10))).collect();
    assert!(records(5, Split::Train, 50).collect::<HashSet<_>>() == drawn);
}

#[test]
fn all_pictures_differ() {
    let splits = [Split::Train, Split::Test].into_iter().flat_map(|split| records(1, split, 600));
    assert_eq!(splits.map(|(_, pixels)| pixels).collect::<HashSet<_>>().len(), 1_200);
    assert_eq!(
        Size::default().of(Split::Train) % 5,
        0,
        "a CIFAR-10 training set consists of five files of equal length"
    );
}

/// Labelled vectors.
type Examples = Vec<(usize, Vec<f32>)>;

/// The accuracy of classification by the nearest class mean, among `classes`.
fn nearest_mean_accuracy(classes: std::ops::Range<usize>, train: &Examples, test: &Examples) -> f32 {
    let means: Examples = classes
        .clone()
        .map(|class| {
            let members: Vec<_> = train.iter().filter(|(label, _)| *label == class).collect();
            let mean = |i| members.iter().map(|(_, values)| values[i]).sum::<f32>() / members.len() as f32;
            (class, (0..members[0].1.len()).map(mean).collect())
        })
        .collect();
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let correct: Vec<bool> = test
        .iter()
        .filter(|(label, _)| classes.contains(label))
        .map(|(label, values)| {
            let nearest = means.iter().min_by(|a, b| distance(&a.1, values).total_cmp(&distance(&b.1, values)));
            nearest.is_some_and(|(class, _)| class == label)
        })
        .collect();
    correct.iter().filter(|&&correct| correct).count() as f32 / correct.len() as f32
}

/// Chance is one in five. Class means must stay below 0.30, and below 0.55 on silhouettes, which make light on dark
/// equal to dark on light.
#[test]
fn class_means_classify_poorly() {
    type View = fn(&Pixels) -> Vec<f32>;
    fn mean(plane: &[u8]) -> f32 {
        plane.iter().map(|&byte| f32::from(byte)).sum::<f32>() / plane.len() as f32
    }
    let pixels: View = |picture| picture.iter().map(|&byte| f32::from(byte)).collect();
    let colours: View = |picture| picture.chunks(AREA).map(mean).collect();
    let silhouettes: View = |picture| {
        let contrast = |plane: &[u8]| {
            let mean = mean(plane);
            plane.iter().map(|&byte| (f32::from(byte) - mean).abs()).collect::<Vec<_>>()
        };
        picture.chunks(AREA).flat_map(contrast).collect()
    };
    for (view, limit) in [(pixels, 0.30), (colours, 0.30), (silhouettes, 0.55)] {
        let examples = |split| records(1, split, 1_000).map(|(label, pixels)| (label.into(), view(&pixels))).collect();
        let (train, test): (Examples, Examples) = (examples(Split::Train), examples(Split::Test));
        for half in [0..5, 5..10] {
            let accuracy = nearest_mean_accuracy(half.clone(), &train, &test);
            assert!(accuracy < limit, "class means classify {half:?} with accuracy {accuracy}, not below {limit}");
        }
    }
}

/// Without scene, pose and colour, class means classify the ten drawings well.
#[test]
fn the_drawings_differ() {
    let (black, white) = (Colour([0.0; 3]), Colour([1.0; 3]));
    let palette = Palette { ground: [black; 2], figure: [white; 3], ink: white };
    let silhouettes = |seed| -> Examples {
        let drawings = (0..400).map(|i| i % DRAWINGS.len()).enumerate();
        drawings
            .map(|(i, class)| {
                let chance = &mut Chance::at(seed, i as u64);
                let mut canvas = Canvas::new();
                canvas.pose(&Pose { scale: 0.9, ..Pose::PLAIN });
                DRAWINGS[class](&mut Pen::new(&mut canvas, chance, &palette), chance);
                (class, canvas.colours.iter().map(|colour| colour.0[0]).collect())
            })
            .collect()
    };
    let accuracy = nearest_mean_accuracy(0..CLASSES.len(), &silhouettes(1), &silhouettes(2));
    assert!(accuracy > 0.9, "only {accuracy} of the silhouettes are nearest to their own class");
}
