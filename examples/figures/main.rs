//! Draws the book's figures, docs/book/images/*.svg:
//!
//!     cargo run --example figures

use std::{fs, path::Path};

mod backpropagation;
mod convolution;
mod filters;
mod product;
mod svg;
mod winograd;

/// Every figure with the name of its file.
fn figures() -> Vec<(&'static str, svg::Figure)> {
    vec![
        ("dense.svg", backpropagation::dense()),
        ("kernel-gradient.svg", backpropagation::kernel_gradient()),
        ("overlapping-rows.svg", convolution::overlapping_rows()),
        ("ladder.svg", convolution::ladder()),
        ("register-tile.svg", product::register_tile()),
        ("five-loops.svg", product::five_loops()),
        ("roofline.svg", product::roofline()),
        ("lanes.svg", product::lanes()),
        ("filters.svg", filters::filters()),
        ("winograd-tiles.svg", winograd::tiles()),
        ("winograd-passes.svg", winograd::passes()),
    ]
}

/// A file of the repository.
fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn main() -> std::io::Result<()> {
    let folder = repository("docs/book/images");
    fs::create_dir_all(&folder)?;
    for (name, figure) in figures() {
        fs::write(folder.join(name), figure.svg())?;
    }
    Ok(())
}

#[test]
fn no_figure_is_stale() {
    let folder = repository("docs/book/images");
    for (name, figure) in figures() {
        let drawn = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(drawn == figure.svg(), "{name} is stale: cargo run --example figures");
    }
    let files = fs::read_dir(folder).unwrap().count();
    assert_eq!(files, figures().len(), "docs/book/images has files that are not drawn here");
}
