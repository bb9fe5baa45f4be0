//! Every vector operation at every level gives in each lane the result of the scalar operation, for special numbers,
//! too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thawline_tensor::dispatch;
use thawline_tensor::simd::{Grid, GridMut, LANES, Lanes, Level, Simd, Vector, vectors};

use crate::data::{levels, reals};

/// Numbers at which operations differ (zeros of both signs, the smallest, the largest, infinities and NaN), and a few
/// usual ones.
const SPECIAL: [f32; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    f32::MIN_POSITIVE,
    1e-45,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    3.0,
];

/// The operations on three numbers a, b and c, and a broadcast of the first lane's a.
const OPERATIONS: [&str; 11] = [
    "splat",
    "a + b",
    "a - b",
    "a * b",
    "a / b",
    "sqrt(a)",
    "a * b + c",
    "max(a, b)",
    "min(a, b)",
    "c where a > b, else 0",
    "c where a = b, else a",
];

#[inline(always)]
fn on_vectors<S: Simd>(simd: S, [a, b, c]: [S::Vector; 3], first: f32) -> [S::Vector; 11] {
    [
        simd.splat(first),
        a + b,
        a - b,
        a * b,
        a / b,
        a.sqrt(),
        a.mul_add(b, c),
        a.max(b),
        a.min(b),
        c.where_gt(a, b),
        c.where_eq(a, b, a),
    ]
}

fn on_numbers(level: Level, [a, b, c]: [f32; 3], first: f32) -> [f32; 11] {
    let fused = if level.has_fma() { a.mul_add(b, c) } else { a * b + c };
    let (largest, smallest) = (if a > b { a } else { b }, if a < b { a } else { b });
    let (above, equal) = (if a > b { c } else { 0.0 }, if a == b { c } else { a });
    [first, a + b, a - b, a * b, a / b, a.sqrt(), fused, largest, smallest, above, equal]
}

fn compute(level: Level, [a, b, c]: [&Lanes; 3]) -> [Lanes; 11] {
    let mut results = [[0.0; LANES]; 11];
    dispatch!(level, simd => {
        let operands = [simd.load(a), simd.load(b), simd.load(c)];
        for (vector, result) in on_vectors(simd, operands, a[0]).into_iter().zip(&mut results) {
            vector.store(result);
        }
    });
    results
}

/// Equal bits; any NaN is as good as another.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn transposing_swaps_rows_and_columns() {
    fn transpose<S: Simd>(simd: S, rows: &[Lanes; LANES]) -> [Lanes; LANES] {
        let transposed = simd.transpose(rows.map(|row| simd.load(&row)));
        transposed.map(|column| {
            let mut lanes = [0.0; LANES];
            column.store(&mut lanes);
            lanes
        })
    }
    let rows: [Lanes; LANES] = std::array::from_fn(|i| std::array::from_fn(|j| (i * LANES + j) as f32));
    for level in levels() {
        let columns = dispatch!(level, simd => transpose(simd, &rows));
        for (i, j) in (0..LANES).flat_map(|i| (0..LANES).map(move |j| (i, j))) {
            assert_eq!(columns[j][i], rows[i][j], "{level}: row {i}, column {j}");
        }
    }
}

#[test]
fn vector_operations_agree_with_scalar_operations() {
    // Every triple of special numbers, and 1,024 ordinary ones.
    let triples = SPECIAL.into_iter().flat_map(|a| SPECIAL.into_iter().flat_map(move |b| SPECIAL.map(|c| [a, b, c])));
    let usual = reals("usual", 3 * 1024);
    let all: Vec<[f32; 3]> = triples.chain(usual.as_chunks().0.iter().copied()).collect();
    for triples in all.as_chunks::<LANES>().0 {
        let [a, b, c] = [0, 1, 2].map(|i| triples.map(|triple| triple[i]));
        for level in levels() {
            let results = compute(level, [&a, &b, &c]);
            for (lane, &triple) in triples.iter().enumerate() {
                let expected = on_numbers(level, triple, a[0]);
                for ((operation, result), expected) in OPERATIONS.iter().zip(results).zip(expected) {
                    let found = result[lane];
                    assert!(
                        same(found, expected),
                        "{operation} of {triple:?} at {level} is {found:e}, not {expected:e}"
                    );
                }
            }
        }
    }
    assert_eq!(all.len() % LANES, 0, "no triple is left out");
}

#[test]
fn bytes_are_converted_to_floats_and_back() {
    for level in levels() {
        for first in (0..=u8::MAX).step_by(LANES) {
            let bytes: [u8; LANES] = std::array::from_fn(|lane| first + lane as u8);
            let (mut floats, mut back) = ([0.0; LANES], [0; LANES]);
            dispatch!(level, simd => {
                let v = simd.load_bytes(&bytes);
                v.store(&mut floats);
                v.store_bytes(&mut back);
            });
            assert_eq!(floats, bytes.map(f32::from), "at {level}");
            assert_eq!(back, bytes, "at {level}");
        }
    }
}

#[test]
fn partial_loads_and_stores_touch_only_their_elements() {
    let numbers = reals("numbers", LANES);
    for level in levels() {
        for len in 0..=LANES {
            let (mut read, mut written) = ([f32::NAN; LANES], [f32::NAN; LANES + 1]);
            dispatch!(level, simd => {
                // The end of the allocation, where an address sanitizer sees a load that goes too far.
                simd.load_first(&numbers[LANES - len..]).store(&mut read);
                simd.load_first(&numbers).store_first(&mut written[..len]);
            });
            assert_eq!(read[..len], numbers[LANES - len..], "at {level}");
            assert!(read[len..].iter().all(|&x| x == 0.0), "at {level}: lanes past the end are zero");
            assert_eq!(written[..len], numbers[..len], "at {level}");
            assert!(written[len..].iter().all(|x| x.is_nan()), "at {level}: floats past the end stay");
        }
    }
}

#[test]
fn a_vector_of_a_grid_is_the_floats_at_its_place() {
    // 2 x 3 vectors; the last ends with the last float.
    let (size, pitch) = ([2, 3], [50, 17]);
    let floats = reals("grid", 50 + 2 * 17 + LANES);
    for (row, col) in [(0, 0), (0, 2), (1, 0), (1, 2)] {
        let place = row * 50 + col * 17;
        assert_eq!(Grid::new(&floats, size, pitch).at(row, col)[..], floats[place..place + LANES]);
        let mut written = floats.clone();
        *GridMut::new(&mut written, size, pitch).at(row, col) = [7.0; LANES];
        let mut expected = floats.clone();
        expected[place..place + LANES].fill(7.0);
        assert_eq!(written, expected);
    }
}

#[test]
fn a_grid_that_is_empty_or_too_large_is_refused() {
    // Two sums and a product overflow. In a debug build they would panic anyway; a release build needs the checks.
    let refuses = |len: usize, size: [usize; 2], pitch: [usize; 2]| {
        let mut floats = vec![0.0; len];
        let reads = catch_unwind(|| _ = Grid::new(&floats, size, pitch)).is_ok();
        let writes = catch_unwind(AssertUnwindSafe(|| _ = GridMut::new(&mut floats, size, pitch))).is_ok();
        assert_eq!(reads, writes);
        !reads
    };
    let len = 50 + 2 * 17 + LANES;
    assert!(!refuses(len, [2, 3], [50, 17]));
    assert!(refuses(len - 1, [2, 3], [50, 17]), "the last vector ends beyond the floats");
    assert!(refuses(len, [0, 3], [50, 17]), "no row");
    assert!(refuses(len, [2, 0], [50, 17]), "no column");
    assert!(refuses(len, [3, 2], [usize::MAX / 2 + 1, 1]), "the product overflows");
    assert!(refuses(len, [2, 3], [usize::MAX, 1]), "the sum of the distances overflows");
    assert!(refuses(len, [2, 1], [usize::MAX, 1]), "the end overflows");
}

#[test]
fn a_grid_has_no_other_rows_and_columns() {
    let mut floats = vec![0.0; 200];
    for (row, col) in [(2, 0), (0, 3)] {
        assert!(catch_unwind(|| Grid::new(&floats, [2, 3], [50, 17]).at(row, col)[0]).is_err());
        let write = AssertUnwindSafe(|| GridMut::new(&mut floats, [2, 3], [50, 17]).at(row, col)[0] = 1.0);
        assert!(catch_unwind(write).is_err());
    }
}

#[test]
#[should_panic(expected = "17 floats are not a whole number of vectors")]
fn a_partial_vector_is_refused() {
    vectors(&[0.0; 17]);
}
