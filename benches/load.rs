//! Loading CIFAR-10 from the archive and from the folder of .bin files, compared with `gzip -dc` if it is installed.
//!
//! The pictures are built-in ones, 12,000 by default or THAWLINE_BENCH_PICTURES (CIFAR-10 has 60,000).
//! THAWLINE_BENCH_ARCHIVE names another archive instead, such as the official one.

use std::{
    env,
    fs::File,
    hint::black_box,
    io::BufWriter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use criterion::{Criterion, Throughput};
use thawline::data::open;
use thawline_cifar::Dataset;

fn main() {
    let scratch = tempfile::tempdir().expect("a temporary folder can be created");
    let (archive, folder) = (scratch.path().join("pictures.tar.gz"), scratch.path().join("pictures"));
    let (archive, dataset) = match env::var_os("THAWLINE_BENCH_ARCHIVE").map(PathBuf::from) {
        Some(archive) => {
            let dataset = Dataset::open(&archive).unwrap_or_else(|error| panic!("{error}"));
            (archive, dataset)
        }
        None => {
            let dataset = draw();
            let file = File::create(&archive).expect("the temporary folder can be written");
            dataset.write_archive_to(BufWriter::new(file)).expect("the archive can be written");
            (archive, dataset)
        }
    };
    dataset.write_folder(&folder).unwrap_or_else(|error| panic!("{error}"));
    let bytes = (dataset.format().record_bytes() * (dataset.train().len() + dataset.test().len())) as u64;

    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("load");
    group.throughput(Throughput::Bytes(bytes));
    for (name, path) in [("archive", &archive), ("folder", &folder)] {
        let loaded = Dataset::open(path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.sha256(), dataset.sha256(), "{name}: not the pictures that were written");
        group.bench_function(name, |bencher| bencher.iter(|| black_box(Dataset::open(path).is_ok())));
    }
    if gunzip(&archive) {
        group.bench_function("gzip -dc, for comparison", |bencher| bencher.iter(|| gunzip(&archive)));
    }
    group.finish();

    assert!(dataset.train().len() >= 128, "a batch needs 128 training pictures");
    // Converts batches to floats, as training does.
    let mut floats = vec![0.0; 128 * 3072];
    for image in dataset.train().iter().take(128) {
        image.write_nhwc(&mut floats[..3072]);
        for (index, float) in floats[..3072].iter().enumerate() {
            let byte = image.pixels[index % 3 * 1024 + index / 3];
            assert_eq!(*float, f32::from(byte) / 255.0, "wrong order of pixels");
        }
    }
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(128 * 3072));
    group.bench_function("128 pictures as floats", |bencher| {
        bencher.iter(|| {
            for (image, floats) in dataset.train().iter().zip(floats.chunks_exact_mut(3072)) {
                image.write_nhwc(floats);
            }
            black_box(&mut floats);
        });
    });
    group.finish();
    criterion.final_summary();
}

fn draw() -> Dataset {
    const VARIABLE: &str = "THAWLINE_BENCH_PICTURES";
    let count = env::var(VARIABLE).map_or(12_000, |count| {
        count.parse().unwrap_or_else(|_| panic!("{VARIABLE} is {count}; expected a number of pictures"))
    });
    // As in CIFAR-10, five training files and one test file.
    let test = (count / 6).max(1);
    open::draw(thawline_drawings::SEED, thawline_drawings::Size { train: 5 * test, test })
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Decompresses the archive with gzip, discarding the output. Returns whether that worked.
fn gunzip(archive: &Path) -> bool {
    let gzip = Command::new("gzip").arg("-dc").arg(archive).stdout(Stdio::null()).stderr(Stdio::null()).status();
    gzip.is_ok_and(|status| status.success())
}
