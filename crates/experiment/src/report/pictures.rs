//! Sample pictures as one PNG: a row per class, every pixel enlarged to a square.
//!
//! The names of the classes are not in the pixels: the page shows them next to the rows, as text.

use super::page;
use crate::{
    data::png::Sheet,
    record::{
        data::DataKind,
        pictures::{ClassPictures, ReportPictures},
        run::RunRecord,
    },
};

const SIDE: usize = 32;
/// Enlarged by this factor, small pictures stay sharp on high-resolution screens.
const ENLARGED: usize = 3;
/// Transparent pixels around each picture.
const MARGIN: usize = 3;
const CELL: usize = SIDE * ENLARGED + 2 * MARGIN;

/// The alt text, also stored in the PNG.
fn describe(rows: &[ClassPictures], kind: DataKind) -> String {
    let classes = page::enumeration(rows.iter().map(|row| row.class.as_str()));
    format!("Sample pictures, from the top: {classes} ({})", kind.name())
}

/// The rows as PNG; `None` if there are no pictures.
pub fn grid(rows: &[ClassPictures], kind: DataKind) -> Option<Vec<u8>> {
    let columns = rows.iter().map(|row| row.pictures.len()).max().filter(|&columns| columns > 0)?;
    let mut sheet = Sheet::new(columns * CELL, rows.len() * CELL);
    for (r, row) in rows.iter().enumerate() {
        for (c, picture) in row.pictures.iter().enumerate() {
            sheet.picture(c * CELL + MARGIN, r * CELL + MARGIN, ENLARGED, picture);
        }
    }
    Some(sheet.encode(&describe(rows, kind)))
}

/// Sample pictures of a run's source and target classes, encoded once for its files and every version of its report.
pub struct Grids(Vec<Grid>);

pub(super) struct Grid {
    pub file: &'static str,
    pub classes: Vec<String>,
    pub description: String,
    pub png: Vec<u8>,
}

impl Grids {
    /// A grid for the source and one for the target classes, if they have pictures.
    pub fn new(record: &RunRecord, pictures: &ReportPictures) -> Self {
        let kind = record.data.kind;
        let sides = [("source.png", &pictures.source), ("target.png", &pictures.target)];
        let grid = |(file, rows): (_, &Vec<ClassPictures>)| {
            let classes = rows.iter().map(|row| row.class.clone()).collect();
            Some(Grid { file, classes, description: describe(rows, kind), png: grid(rows, kind)? })
        };
        Grids(sides.into_iter().filter_map(grid).collect())
    }

    /// Names and PNG bytes.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.0.iter().map(|grid| (grid.file, &grid.png[..]))
    }

    pub(super) fn of(&self, file: &str) -> Option<&Grid> {
        self.0.iter().find(|grid| grid.file == file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose values differ along its first row, along its first column and between its planes, so that every
    /// flip changes it.
    fn asymmetric() -> [u8; 3072] {
        std::array::from_fn(|i| (i % 251) as u8)
    }

    #[test]
    fn every_pixel_becomes_a_square_of_its_colour() {
        let row = ClassPictures { class: "cat".to_owned(), pictures: vec![[9; 3072], asymmetric()] };
        let rows = [ClassPictures { class: "dog".to_owned(), pictures: vec![[7; 3072]] }, row];
        let bytes = grid(&rows, DataKind::Cifar10).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        assert_eq!(reader.info().size(), (2 * CELL as u32, 2 * CELL as u32));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let at = |x: usize, y: usize| &pixels[(y * 2 * CELL + x) * 4..][..4];
        let picture = asymmetric();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let from = y * SIDE + x;
                let want = [picture[from], picture[from + 1024], picture[from + 2048], 255];
                for (dx, dy) in [(0, 0), (ENLARGED - 1, 0), (0, ENLARGED - 1), (ENLARGED - 1, ENLARGED - 1)] {
                    let place = (CELL + MARGIN + x * ENLARGED + dx, CELL + MARGIN + y * ENLARGED + dy);
                    assert_eq!(at(place.0, place.1), want, "column {x}, row {y}");
                }
            }
        }
        assert_eq!(at(MARGIN, MARGIN), [7, 7, 7, 255]);
        assert_eq!(at(CELL + MARGIN, MARGIN), [0; 4], "a missing picture is transparent");
        assert_eq!(at(0, 0), [0; 4], "so is the margin");
    }

    #[test]
    fn no_file_is_written_without_pictures() {
        assert_eq!(grid(&[], DataKind::Cifar10), None);
        assert_eq!(grid(&[ClassPictures { class: "cat".to_owned(), pictures: Vec::new() }], DataKind::Cifar10), None);
    }
}
