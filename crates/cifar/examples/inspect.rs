//! Prints what a CIFAR archive or folder contains: `cargo run -p thawline-cifar --example inspect -- PATH`.

use std::{env, process::ExitCode, time::Instant};

use thawline_cifar::{Dataset, Images};

fn main() -> ExitCode {
    let Some(path) = env::args_os().nth(1) else {
        eprintln!("usage: inspect PATH (a .tar.gz archive, or a folder)");
        return ExitCode::from(2);
    };
    let started = Instant::now();
    match Dataset::open(path) {
        Ok(dataset) => {
            println!("{} from {}, read in {:.2?}", dataset.format().name(), dataset.source(), started.elapsed());
            println!("{} training pictures, {} test pictures", dataset.train().len(), dataset.test().len());
            println!("SHA-256 of the records: {}", dataset.sha256());
            print_classes(&dataset);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if error.is_environment_fault() { 3 } else { 2 })
        }
    }
}

fn print_classes(dataset: &Dataset) {
    let count = |images: &Images, label| images.iter().filter(|image| usize::from(image.label) == label).count();
    println!("{:>5} {:20} {:>8} {:>8}", "label", "class", "training", "test");
    for (label, class) in dataset.classes().iter().enumerate() {
        println!("{label:>5} {class:20} {:>8} {:>8}", count(dataset.train(), label), count(dataset.test(), label));
    }
    if !dataset.coarse_classes().is_empty() {
        println!("coarse classes: {}", dataset.coarse_classes().join(", "));
    }
}
