//! Max-pooling and average pooling, for any window and stride.
//!
//! **Padding.** A window may extend past the edge of the image. Only the pixels inside count: the mean is over those,
//! as in Keras.
//!
//! **Ties.** The first of several equal elements in row order wins and gets the whole gradient. The winner is not
//! stored: the backward pass finds it again, as the first element equal to the maximum.
//!
//! **NaN.** The maximum of a window that holds a NaN is NaN, and nothing wins.

use std::ops::Range;

use crate::simd::{LANES, Simd, Vector};

use super::window::{Padding, Windows, product};

/// The sizes of a pooling layer or of a depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Rows of the input.
    pub h: usize,
    /// Columns of the input.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Rows and columns of a window.
    pub window: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows of padding above the first.
    pub pad_top: usize,
    /// Columns of padding left of the first.
    pub pad_left: usize,
    /// Rows of the output.
    pub out_h: usize,
    /// Columns of the output.
    pub out_w: usize,
}

impl PoolShape {
    /// Derives the output's size.
    ///
    /// # Errors
    /// If a size is zero, the window is larger than the padded input, the padding leaves a window without a pixel, or
    /// the number of floats overflows. The message is meant to follow the layer's name.
    pub fn new(
        [h, w, c]: [usize; 3],
        window: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
    ) -> Result<Self, String> {
        if [h, w, c].contains(&0) || product(&[h, w, c]).is_none() {
            return Err(format!(
                "its input is {h} x {w} x {c}: each must be at least 1, and their product must not overflow"
            ));
        }
        let windows = Windows { input: [h, w], size: window, stride, dilation: [1, 1] };
        let zeros @ [top, bottom, left, right] = windows.zeros(padding)?;
        if top >= window[0] || bottom >= window[0] || left >= window[1] || right >= window[1] {
            return Err(format!("its padding {padding} leaves a {} x {} window without a pixel", window[0], window[1]));
        }
        let too_large = || format!("its {} x {} window is larger than the {h} x {w} input", window[0], window[1]);
        let [out_h, out_w] = windows.count(zeros).ok_or_else(too_large)?;
        if product(&[out_h, out_w, c, window[0], window[1]]).is_none() {
            return Err(format!("its {} x {} window takes too many operations", window[0], window[1]));
        }
        Ok(Self { h, w, c, window, stride, pad_top: top, pad_left: left, out_h, out_w })
    }

    /// Floats of an input image.
    pub fn input_len(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Floats of an output image.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.c
    }

    /// The input rows of a row of windows.
    pub fn rows(&self, out_row: usize) -> Range<usize> {
        let start = out_row * self.stride[0];
        start.saturating_sub(self.pad_top)..(start + self.window[0]).saturating_sub(self.pad_top).min(self.h)
    }

    /// The input columns of a column of windows.
    pub fn cols(&self, out_col: usize) -> Range<usize> {
        let start = out_col * self.stride[1];
        start.saturating_sub(self.pad_left)..(start + self.window[1]).saturating_sub(self.pad_left).min(self.w)
    }

    /// The index, in row order, of pixel `[h, w]` within the window of output `[out_row, out_col]`.
    #[inline(always)]
    pub fn place(&self, [out_row, out_col]: [usize; 2], [h, w]: [usize; 2]) -> usize {
        let row = h + self.pad_top - out_row * self.stride[0];
        row * self.window[1] + w + self.pad_left - out_col * self.stride[1]
    }

    /// Iterates over the output pixels, each with the pixels of its window in row order.
    fn windows(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = usize> + Clone)> {
        let (out_w, w) = (self.out_w, self.w);
        (0..self.out_h * self.out_w).map(move |out| {
            let cols = self.cols(out % out_w);
            (out, self.rows(out / out_w).flat_map(move |row| cols.clone().map(move |col| row * w + col)))
        })
    }
}

/// y = the largest element of each window, for one image.
#[inline(always)]
pub fn max_pool<S: Simd>(simd: S, s: &PoolShape, x: &[f32], y: &mut [f32]) {
    for (out, pixels) in s.windows() {
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let mut best = simd.splat(f32::NEG_INFINITY);
            for pixel in pixels.clone() {
                let larger = best.max(simd.load_first(&x[pixel * s.c..][lanes.clone()]));
                // `max` returns NaN where the pixel is NaN. A `best` that is NaN (not equal to itself) stays.
                best = larger.where_eq(best, best, best);
            }
            best.store_first(&mut y[out * s.c..][lanes]);
        }
    }
}

/// dx of a pixel = the sum of dy over the windows that it wins, for one image.
#[inline(always)]
pub fn max_pool_gradient<S: Simd>(simd: S, s: &PoolShape, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    for (out, pixels) in s.windows() {
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let best = simd.load_first(&y[out * s.c..][lanes.clone()]);
            let mut remaining = simd.load_first(&dy[out * s.c..][lanes.clone()]);
            for pixel in pixels.clone() {
                let value = simd.load_first(&x[pixel * s.c..][lanes.clone()]);
                let dx = &mut dx[pixel * s.c..][lanes.clone()];
                // The first equal element takes the gradient; nothing remains for the next.
                let taken = remaining.where_eq(value, best, simd.zero());
                remaining = simd.zero().where_eq(value, best, remaining);
                (simd.load_first(dx) + taken).store_first(dx);
            }
        }
    }
}

/// y = the mean of each window's pixels, for one image.
#[inline(always)]
pub fn average_pool<S: Simd>(simd: S, s: &PoolShape, x: &[f32], y: &mut [f32]) {
    for (out, pixels) in s.windows() {
        let share = simd.splat(1.0 / pixels.clone().count() as f32);
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let mut sum = simd.zero();
            for pixel in pixels.clone() {
                sum = sum + simd.load_first(&x[pixel * s.c..][lanes.clone()]);
            }
            (sum * share).store_first(&mut y[out * s.c..][lanes]);
        }
    }
}

/// dx of a pixel = the sum of dy / (the window's number of pixels) over the windows that contain it, for one image.
#[inline(always)]
pub fn average_pool_gradient<S: Simd>(simd: S, s: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    for (out, pixels) in s.windows() {
        let share = simd.splat(1.0 / pixels.clone().count() as f32);
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let part = simd.load_first(&dy[out * s.c..][lanes.clone()]) * share;
            for pixel in pixels.clone() {
                let dx = &mut dx[pixel * s.c..][lanes.clone()];
                (simd.load_first(dx) + part).store_first(dx);
            }
        }
    }
}
