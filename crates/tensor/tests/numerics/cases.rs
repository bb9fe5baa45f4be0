//! The shapes that tests share: the edges of vectors and register tiles, and a random sample of all others.

use thawline_tensor::kernels::conv::ConvShape;
use thawline_tensor::kernels::window::Padding;
use thawline_tensor::random::Bits;

use crate::data::bits;

/// Dimensions at and around the lengths where kernels change their method: vectors of 16, register tiles of up to 14
/// rows.
pub const DIMS: [usize; 16] = [0, 1, 2, 3, 5, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33];

/// M, N, K of matrix products: all triples of [`DIMS`], then a few beyond the blocks of the product.
pub fn products() -> impl Iterator<Item = [usize; 3]> {
    let small = DIMS.into_iter().flat_map(|m| DIMS.into_iter().flat_map(move |n| DIMS.map(|k| [m, n, k])));
    small.chain([
        // Several blocks along K, along M, along N.
        [7, 65, 257],
        [113, 64, 300],
        [130, 70, 600],
        [240, 129, 33],
        [29, 150, 300],
        [8, 9, 800],
        [8, 9, 801],
        [120, 70, 900],
        [20, 150, 1601],
        [3, 150, 1],
        // The rows of B are at most 16 vectors, all whole, so B may be read in place: with and without a partial last
        // panel, with several blocks along K.
        [130, 128, 33],
        [13, 96, 801],
        [140, 208, 1700],
        [13, 144, 4500],
        // Many columns: more than are packed at once, then two products that are cut along N.
        [130, 4113, 19],
        [3, 4097, 5],
        [15, 8200, 2],
        // Strips of a wide result: a few rows, the maximum of a strip, one more; several blocks along K.
        [2, 2048, 3],
        [128, 2050, 20],
        [129, 2049, 7],
        [5, 2100, 801],
        [20, 2100, 801],
        [33, 2050, 1601],
        [3, 2048, 0],
        // Cut along K: a narrow product with a long sum; at the limits, and with more rows than have partial results at
        // the same time.
        [1, 1, 4096],
        [1, 256, 4096],
        [3, 257, 4096],
        [9, 5, 4095],
        [17, 33, 4111],
        [3, 17, 13_000],
        [513, 3, 4097],
    ])
}

/// Convolutions of stride 1 without dilation. All methods apply to many of them; a test leaves out those that do not.
pub fn dense_convolutions() -> Vec<ConvShape> {
    let valid = Padding::Valid;
    let mut cases: Vec<ConvShape> = [
        // One output, one channel; then every remainder of 4 in height and width, for tiles of 4 x 4.
        dense([3, 3, 1], 1, valid),
        dense([4, 5, 3], 2, valid),
        dense([6, 6, 16], 16, valid),
        dense([7, 9, 5], 7, valid),
        dense([9, 8, 17], 15, valid),
        dense([18, 18, 3], 33, valid),
        dense([10, 31, 33], 17, valid),
        dense([33, 6, 8], 64, valid),
        dense([16, 16, 64], 65, valid),
        dense([30, 30, 2], 9, valid),
        // With padding: inputs smaller than the kernel and larger, and padding wider than the kernel.
        dense([1, 1, 16], 16, Padding::Same),
        dense([2, 1, 3], 5, Padding::Same),
        dense([5, 7, 31], 32, Padding::Same),
        dense([8, 8, 9], 16, Padding::Explicit([2, 2, 2, 2])),
        dense([5, 4, 2], 3, Padding::Explicit([0, 1, 2, 0])),
        dense([5, 4, 2], 3, Padding::Explicit([0, 5, 0, 3])),
        dense([5, 4, 16], 16, Padding::Explicit([4, 0, 3, 6])),
    ]
    .into();
    let mut random = bits("dense convolutions");
    while cases.len() < 120 {
        let [h, w] = [0; 2].map(|_| pick(&mut random, &DIMS[1..13]));
        let [c, filters] = [0; 2].map(|_| pick(&mut random, &DIMS[1..]));
        let [kh, kw] = pick(&mut random, &[[3, 3], [3, 3], [3, 3], [1, 1], [5, 5], [2, 4], [5, 3], [1, 7]]);
        let padding = pick(&mut random, &[valid, Padding::Same, Padding::Explicit([1, 2, 0, 1])]);
        add_if_small(&mut cases, ConvShape::new([h, w, c], [kh, kw], filters, [1, 1], [1, 1], padding));
    }
    cases
}

/// Convolutions with any stride, padding and dilation.
pub fn general_convolutions() -> Vec<ConvShape> {
    let mut cases = Vec::new();
    let mut random = bits("general convolutions");
    while cases.len() < 120 {
        let [h, w] = [0; 2].map(|_| pick(&mut random, &DIMS[1..12]));
        let [c, filters] = [0; 2].map(|_| pick(&mut random, &[1, 2, 3, 5, 8, 16, 17]));
        let [kh, kw] = [0; 2].map(|_| pick(&mut random, &[1, 2, 3, 5]));
        let stride = [0; 2].map(|_| pick(&mut random, &[1, 2, 3]));
        let dilation = [0; 2].map(|_| pick(&mut random, &[1, 1, 2, 3]));
        let padding = pick(&mut random, &[Padding::Valid, Padding::Same, Padding::Explicit([3, 0, 1, 4])]);
        add_if_small(&mut cases, ConvShape::new([h, w, c], [kh, kw], filters, stride, dilation, padding));
    }
    cases
}

pub fn dense(input: [usize; 3], filters: usize, padding: Padding) -> ConvShape {
    ConvShape::new(input, [3, 3], filters, [1, 1], [1, 1], padding).expect("the case is legal")
}

/// Adds the case if it is valid and cheap.
fn add_if_small(cases: &mut Vec<ConvShape>, case: Result<ConvShape, String>) {
    cases.extend(case.ok().filter(|s| s.flops() < 8_000_000));
}

/// A random element of `from`.
pub fn pick<T: Copy>(random: &mut Bits, from: &[T]) -> T {
    from[random.below(from.len() as u64) as usize]
}
