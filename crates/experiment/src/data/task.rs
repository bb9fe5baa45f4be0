//! A classification task: some classes of a data set, with their training and validation pictures.

use thawline_cifar::{Dataset, Images};
use thawline_tensor::nn::Examples;

use super::selection::{Selection, of_classes};
use crate::{
    record::{
        data::{ClassRecord, TaskRecord},
        options::Augment,
        pictures::ClassPictures,
    },
    system::failure::{Failure, Result},
};

pub struct Task<'a> {
    /// The classes, in the order of the network's outputs.
    pub classes: Vec<ClassRecord>,
    pub train: Examples<'a>,
    /// In `thawline run` these are the test pictures, as in the tutorial.
    pub validation: Examples<'a>,
}

impl<'a> Task<'a> {
    /// The pictures of some classes: at most `limit` for training, augmented, and at most `limit` for validation. Fails
    /// if either set is empty.
    pub fn new(data: &'a Dataset, classes: Vec<ClassRecord>, limit: Option<usize>, augment: Augment) -> Result<Self> {
        let select = |images: &'a Images, what: &str| {
            let chosen = of_classes(images, &classes).take(limit.unwrap_or(usize::MAX));
            let examples = Selection::new(images, chosen).examples();
            let none = || {
                let names: Vec<_> = classes.iter().map(|class| class.name.as_str()).collect();
                Failure::usage(format!("the data set has no {what} pictures of {}", names.join(", ")))
            };
            if examples.is_empty() { Err(none()) } else { Ok(examples) }
        };
        let train = select(data.train(), "training")?.augmented(augment.into());
        let validation = select(data.test(), "test")?;
        Ok(Task { train, validation, classes })
    }

    pub fn record(&self) -> TaskRecord {
        TaskRecord {
            classes: self.classes.clone(),
            train_examples: self.train.len() as u64,
            val_examples: self.validation.len() as u64,
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }
}

/// The first pictures of each class.
pub fn samples(images: &Images, classes: &[ClassRecord], per_class: usize) -> Vec<ClassPictures> {
    let of = |class: &ClassRecord| ClassPictures {
        class: class.name.clone(),
        pictures: images
            .iter()
            .filter(|image| u16::from(image.label) == class.label)
            .take(per_class)
            .map(|image| *image.pixels)
            .collect(),
    };
    classes.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use thawline_cifar::{Format, PIXEL_BYTES};

    use super::*;
    use crate::data::classes;

    /// Picture `i` has label `i % 10`, and all its bytes are `i` except for a 255 at green, row 0, column 1.
    fn dataset() -> Dataset {
        let images = |count: u8| {
            let records = (0..count).flat_map(|i| {
                let mut record = vec![i; 1 + PIXEL_BYTES];
                record[0] = i % 10;
                record[1 + 1024 + 1] = 255;
                record
            });
            Images::from_records(Format::Cifar10, records.collect()).unwrap()
        };
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(str::to_owned).to_vec();
        Dataset::new(Format::Cifar10, images(50), images(20), names, Vec::new()).unwrap()
    }

    #[test]
    fn a_task_holds_only_its_classes_in_the_order_of_the_list() {
        let data = dataset();
        let list = classes::parse("--source", "7,2", data.classes()).unwrap();
        let task = Task::new(&data, list, None, Augment::default()).unwrap();
        // Pictures 2, 7, 12, 17, ...: label 2 is output 1, label 7 output 0.
        assert_eq!(task.train.labels(), [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(task.validation.len(), 4);
        let mut floats = vec![0.0; PIXEL_BYTES];
        task.train.inputs().read(3, &mut floats);
        // Row 0, column 1, green in N x H x W x C.
        assert_eq!(floats[3 + 1], 1.0);
        assert!(floats.iter().enumerate().all(|(i, &x)| i == 4 || x == 17.0 / 255.0));
    }

    #[test]
    fn the_limit_holds_for_training_and_validation() {
        let data = dataset();
        let list = classes::parse("--source", "0-4", data.classes()).unwrap();
        let task = Task::new(&data, list, Some(3), Augment::default()).unwrap();
        assert_eq!((task.train.labels(), task.validation.labels()), (&[0, 1, 2][..], &[0, 1, 2][..]));
    }

    #[test]
    fn samples_are_the_first_pictures_of_each_class() {
        let data = dataset();
        let list = classes::parse("--source", "3,1", data.classes()).unwrap();
        let rows = samples(data.train(), &list, 2);
        assert_eq!(rows.iter().map(|row| row.class.as_str()).collect::<Vec<_>>(), ["d", "b"]);
        assert_eq!(rows[0].pictures.iter().map(|pixels| pixels[0]).collect::<Vec<_>>(), [3, 13]);
    }
}
