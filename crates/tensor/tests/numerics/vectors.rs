//! Every vector operation at every level gives in each lane the result of the scalar operation, for special numbers,
//! too.

use thawline_tensor::dispatch;
use thawline_tensor::simd::{LANES, Lanes, Level, Simd, Vector, vectors};

use crate::data::{levels, reals};

/// Numbers at which operations differ: zeros of both signs, the smallest, the largest, and NaN.
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

/// An operation on three numbers.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Splat,
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
    MulAdd,
    Max,
    Min,
    WhereGt,
    WhereEq,
}

use Operation::*;

const ALL: [Operation; 11] = [Splat, Add, Sub, Mul, Div, Sqrt, MulAdd, Max, Min, WhereGt, WhereEq];

impl Operation {
    #[inline(always)]
    fn on_vectors<S: Simd>(self, simd: S, [a, b, c]: [S::Vector; 3], first: f32) -> S::Vector {
        match self {
            Splat => simd.splat(first),
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Sqrt => a.sqrt(),
            MulAdd => a.mul_add(b, c),
            Max => a.max(b),
            Min => a.min(b),
            WhereGt => c.where_gt(a, b),
            WhereEq => c.where_eq(a, b, a),
        }
    }

    fn on_numbers(self, level: Level, [a, b, c]: [f32; 3], first: f32) -> f32 {
        match self {
            Splat => first,
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Sqrt => a.sqrt(),
            MulAdd if !level.is_fused() => a * b + c,
            MulAdd => a.mul_add(b, c),
            Max => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            Min => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            WhereGt => {
                if a > b {
                    c
                } else {
                    0.0
                }
            }
            WhereEq => {
                if a == b {
                    c
                } else {
                    a
                }
            }
        }
    }
}

fn compute(level: Level, operation: Operation, [a, b, c]: [&Lanes; 3]) -> Lanes {
    let mut result = [0.0; LANES];
    dispatch!(level, simd => {
        let operands = [simd.load(a), simd.load(b), simd.load(c)];
        operation.on_vectors(simd, operands, a[0]).store(&mut result);
    });
    result
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
    // Every triple of special numbers, and as many ordinary ones.
    let triples = SPECIAL.into_iter().flat_map(|a| SPECIAL.into_iter().flat_map(move |b| SPECIAL.map(|c| [a, b, c])));
    let usual = reals("usual", 3 * 1024);
    let all: Vec<[f32; 3]> = triples.chain(usual.as_chunks().0.iter().copied()).collect();
    for triples in all.as_chunks::<LANES>().0 {
        let [a, b, c] = [0, 1, 2].map(|i| triples.map(|triple| triple[i]));
        for level in levels() {
            for operation in ALL {
                let result = compute(level, operation, [&a, &b, &c]);
                for lane in 0..LANES {
                    let expected = operation.on_numbers(level, triples[lane], a[0]);
                    assert!(
                        same(result[lane], expected),
                        "{operation:?} of {:?} at {level} is {:e}, not {expected:e}",
                        triples[lane],
                        result[lane]
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
            let (mut read, mut written) = ([f32::NAN; LANES], vec![f32::NAN; len]);
            dispatch!(level, simd => {
                simd.load_first(&numbers[..len]).store(&mut read);
                simd.load_first(&numbers).store_first(&mut written);
            });
            assert_eq!(read[..len], numbers[..len], "at {level}");
            assert!(read[len..].iter().all(|&x| x == 0.0), "at {level}: lanes past the end are zero");
            assert_eq!(written, numbers[..len], "at {level}");
        }
    }
}

#[test]
#[should_panic(expected = "17 floats are not a whole number of vectors")]
fn a_partial_vector_is_refused() {
    vectors(&[0.0; 17]);
}
