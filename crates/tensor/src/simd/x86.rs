//! AVX2 and AVX-512: the only file of the workspace that contains `unsafe`.
//!
//! Two kinds of unsafe operation occur, and each kind has one justification:
//!
//! 1. *Instructions.* An intrinsic may only run on a CPU that has its target feature. A token proves that: its field is
//!    private to this file, and only `detect` makes one, after it has checked the CPU. A vector proves it as well: its
//!    field is private too, and only a token or another vector makes one. Code that is not inlined into
//!    [`Simd::vectorize`] is slow, not unsound.
//! 2. *Memory.* Loads and stores go through references to the bytes that the instruction touches, so the borrow checker
//!    has already proven that these exist and are ours. Masked ones touch only the lanes within their slice. A vector of
//!    a [`Grid`] is inside its floats, because the bounds of all vectors were checked when the grid was made. No
//!    instruction needs an aligned address.
#![allow(unsafe_code)]

use core::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};
use std::sync::OnceLock;

use super::{Grid, GridMut, LANES, Lanes, Simd, Vector};

/// The token of [`Level::Avx512`](super::Level::Avx512).
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

/// The token of [`Level::Avx2`](super::Level::Avx2).
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// The vector of [`Avx512`]: one register.
#[derive(Clone, Copy)]
pub struct Zmm(__m512);

/// The vector of [`Avx2`]: two registers.
#[derive(Clone, Copy)]
pub struct Ymms([__m256; 2]);

impl Avx512 {
    /// The token, if the CPU and the operating system have AVX-512 F, BW, DQ and VL (and what AVX2 needs).
    #[inline]
    pub fn detect() -> Option<Self> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        let found = *FOUND.get_or_init(|| {
            Avx2::detect().is_some()
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
        });
        found.then_some(Self(()))
    }
}

impl Avx2 {
    /// The token, if the CPU and the operating system have AVX2 and FMA.
    #[inline]
    pub fn detect() -> Option<Self> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        let found = *FOUND.get_or_init(|| is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"));
        found.then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
fn with_avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn with_avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Methods that are one instruction on the register of each operand.
macro_rules! on_zmm {
    ($($name:ident($($b:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self $(, $b: Self)*) -> Self {
            // SAFETY: the vector proves AVX-512 F.
            unsafe { Self($intrinsic(self.0 $(, $b.0)*)) }
        }
    )*};
}

/// Methods that are one instruction on each of the two registers.
macro_rules! on_ymms {
    ($($name:ident($($b:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self $(, $b: Self)*) -> Self {
            // SAFETY: the vector proves AVX2 and FMA.
            unsafe { Self([$intrinsic(self.0[0] $(, $b.0[0])*), $intrinsic(self.0[1] $(, $b.0[1])*)]) }
        }
    )*};
}

macro_rules! operators {
    ($vector:ident, $methods:ident: $($operator:ident $name:ident = $intrinsic:ident;)*) => {$(
        impl $operator for $vector {
            type Output = Self;
            $methods! { $name(b) = $intrinsic; }
        }
    )*};
}

operators! { Zmm, on_zmm: Add add = _mm512_add_ps; Sub sub = _mm512_sub_ps; Mul mul = _mm512_mul_ps; Div div = _mm512_div_ps; }
operators! { Ymms, on_ymms: Add add = _mm256_add_ps; Sub sub = _mm256_sub_ps; Mul mul = _mm256_mul_ps; Div div = _mm256_div_ps; }

impl Simd for Avx512 {
    type Vector = Zmm;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, x: f32) -> Zmm {
        // SAFETY: the token proves AVX-512 F.
        Zmm(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    fn load(self, from: &Lanes) -> Zmm {
        // SAFETY: the token proves AVX-512 F; `from` is 64 readable bytes, and the load is unaligned.
        Zmm(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; LANES]) -> Zmm {
        // SAFETY: the token proves AVX-512 F (and SSE2); `from` is 16 readable bytes, and the load is unaligned.
        Zmm(unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.as_ptr().cast()))) })
    }
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Zmm {
        // SAFETY: the token proves AVX-512 F; the load reads no lane beyond the slice.
        Zmm(unsafe { _mm512_maskz_loadu_ps(first(from.len()), from.as_ptr()) })
    }
    #[inline(always)]
    fn prefetch(self, from: &[f32]) {
        prefetch(from);
    }
    #[inline(always)]
    fn transpose(self, rows: [Zmm; LANES]) -> [Zmm; LANES] {
        // SAFETY: the token proves AVX-512 F.
        unsafe {
            // In each group of four rows: quarter q of vector c holds the elements of column 4q + c.
            let mut fours = rows;
            for g in (0..LANES).step_by(4) {
                let a = _mm512_castps_pd(_mm512_unpacklo_ps(rows[g].0, rows[g + 1].0));
                let b = _mm512_castps_pd(_mm512_unpackhi_ps(rows[g].0, rows[g + 1].0));
                let c = _mm512_castps_pd(_mm512_unpacklo_ps(rows[g + 2].0, rows[g + 3].0));
                let d = _mm512_castps_pd(_mm512_unpackhi_ps(rows[g + 2].0, rows[g + 3].0));
                fours[g].0 = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
                fours[g + 1].0 = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
                fours[g + 2].0 = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
                fours[g + 3].0 = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
            }
            // Take quarters 0 and 2 of both operands, or 1 and 3. Done twice, this puts a column's quarters side by
            // side.
            let mut columns = fours;
            for c in 0..4 {
                let even = _mm512_shuffle_f32x4::<0x88>(fours[c].0, fours[c + 4].0);
                let odd = _mm512_shuffle_f32x4::<0xdd>(fours[c].0, fours[c + 4].0);
                let even_below = _mm512_shuffle_f32x4::<0x88>(fours[c + 8].0, fours[c + 12].0);
                let odd_below = _mm512_shuffle_f32x4::<0xdd>(fours[c + 8].0, fours[c + 12].0);
                columns[c].0 = _mm512_shuffle_f32x4::<0x88>(even, even_below);
                columns[c + 4].0 = _mm512_shuffle_f32x4::<0x88>(odd, odd_below);
                columns[c + 8].0 = _mm512_shuffle_f32x4::<0xdd>(even, even_below);
                columns[c + 12].0 = _mm512_shuffle_f32x4::<0xdd>(odd, odd_below);
            }
            columns
        }
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        // SAFETY: the token proves every feature that `with_avx512` enables.
        unsafe { with_avx512(f) }
    }
}

impl Vector for Zmm {
    on_zmm! {
        mul_add(b, c) = _mm512_fmadd_ps;
        sqrt() = _mm512_sqrt_ps;
        max(b) = _mm512_max_ps;
        min(b) = _mm512_min_ps;
    }
    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        // SAFETY: the vector proves AVX-512 F; `to` is 64 bytes that are ours to write, and the store is unaligned.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn store_first(self, to: &mut [f32]) {
        // SAFETY: the vector proves AVX-512 F; the store writes no lane beyond the slice.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first(to.len()), self.0) }
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8; LANES]) {
        // SAFETY: the vector proves AVX-512 F (and SSE2); `to` is 16 bytes that are ours, and the store is unaligned.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(self.0))) }
    }
    #[inline(always)]
    fn where_gt(self, a: Self, b: Self) -> Self {
        // SAFETY: the vector proves AVX-512 F.
        Self(unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a.0, b.0), self.0) })
    }
    #[inline(always)]
    fn where_eq(self, a: Self, b: Self, other: Self) -> Self {
        // SAFETY: the vector proves AVX-512 F.
        Self(unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a.0, b.0), other.0, self.0) })
    }
}

impl Simd for Avx2 {
    type Vector = Ymms;
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Ymms {
        // SAFETY: the token proves AVX2.
        Ymms(unsafe { [_mm256_set1_ps(x); 2] })
    }
    #[inline(always)]
    fn load(self, from: &Lanes) -> Ymms {
        let (low, high) = from.split_at(LANES / 2);
        // SAFETY: the token proves AVX2; each half is 32 readable bytes, and the loads are unaligned.
        Ymms(unsafe { [_mm256_loadu_ps(low.as_ptr()), _mm256_loadu_ps(high.as_ptr())] })
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; LANES]) -> Ymms {
        // SAFETY: the token proves AVX2; `from` is 16 readable bytes, and the load is unaligned.
        unsafe {
            let bytes = _mm_loadu_si128(from.as_ptr().cast());
            let low = _mm256_cvtepu8_epi32(bytes);
            let high = _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes));
            Ymms([_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)])
        }
    }
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Ymms {
        match from.first_chunk() {
            Some(lanes) => self.load(lanes),
            // SAFETY: the token proves AVX2; the loads read no lane beyond the slice.
            None => unsafe {
                let [low, high] = first_halves(self, from.len());
                let upper = from.as_ptr().wrapping_add(LANES / 2);
                Ymms([_mm256_maskload_ps(from.as_ptr(), low), _mm256_maskload_ps(upper, high)])
            },
        }
    }
    #[inline(always)]
    fn prefetch(self, from: &[f32]) {
        prefetch(from);
    }
    #[inline(always)]
    fn transpose(self, rows: [Ymms; LANES]) -> [Ymms; LANES] {
        let mut columns = rows;
        for half in 0..2 {
            for below in 0..2 {
                let mut square = [self.zero().0[0]; 8];
                for r in 0..8 {
                    square[r] = rows[8 * below + r].0[half];
                }
                square = transpose_8(self, square);
                for c in 0..8 {
                    columns[8 * half + c].0[below] = square[c];
                }
            }
        }
        columns
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        // SAFETY: the token proves every feature that `with_avx2` enables.
        unsafe { with_avx2(f) }
    }
}

impl Vector for Ymms {
    on_ymms! {
        mul_add(b, c) = _mm256_fmadd_ps;
        sqrt() = _mm256_sqrt_ps;
        max(b) = _mm256_max_ps;
        min(b) = _mm256_min_ps;
    }
    #[inline(always)]
    fn store(self, to: &mut Lanes) {
        let (low, high) = to.split_at_mut(LANES / 2);
        // SAFETY: the vector proves AVX2; each half is 32 bytes that are ours to write, and the stores are unaligned.
        unsafe {
            _mm256_storeu_ps(low.as_mut_ptr(), self.0[0]);
            _mm256_storeu_ps(high.as_mut_ptr(), self.0[1]);
        }
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8; LANES]) {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        *to = lanes.map(|lane| lane as u8);
    }
    #[inline(always)]
    fn where_gt(self, a: Self, b: Self) -> Self {
        // SAFETY: the vector proves AVX2.
        unsafe {
            let [low, high] =
                [_mm256_cmp_ps::<_CMP_GT_OQ>(a.0[0], b.0[0]), _mm256_cmp_ps::<_CMP_GT_OQ>(a.0[1], b.0[1])];
            Self([_mm256_and_ps(low, self.0[0]), _mm256_and_ps(high, self.0[1])])
        }
    }
    #[inline(always)]
    fn where_eq(self, a: Self, b: Self, other: Self) -> Self {
        // SAFETY: the vector proves AVX2.
        unsafe {
            let [low, high] =
                [_mm256_cmp_ps::<_CMP_EQ_OQ>(a.0[0], b.0[0]), _mm256_cmp_ps::<_CMP_EQ_OQ>(a.0[1], b.0[1])];
            Self([_mm256_blendv_ps(other.0[0], self.0[0], low), _mm256_blendv_ps(other.0[1], self.0[1], high)])
        }
    }
}

/// The mask of the first `lanes` of sixteen lanes; of all if `lanes` is larger.
#[inline(always)]
fn first(lanes: usize) -> __mmask16 {
    ((1u32 << lanes.min(LANES)) - 1) as __mmask16
}

/// As [`first`], for the two registers of a vector of AVX2.
#[inline(always)]
fn first_halves(_: Avx2, lanes: usize) -> [__m256i; 2] {
    // SAFETY: the token proves AVX2.
    unsafe {
        let lanes = _mm256_set1_epi32(lanes.min(LANES) as i32);
        let low = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let high = _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15);
        [_mm256_cmpgt_epi32(lanes, low), _mm256_cmpgt_epi32(lanes, high)]
    }
}

/// Prefetches to the second-level cache.
#[inline(always)]
fn prefetch(from: &[f32]) {
    // SAFETY: every x86-64 has SSE, and a prefetch may name any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(from.as_ptr().cast()) }
}

/// A vector of a grid: only the row and the column are checked, which costs nothing where they are constants.
///
/// # Panics
/// If the grid has no such row or column.
#[inline(always)]
pub(super) fn vector_of<'a>(grid: &Grid<'a>, row: usize, col: usize) -> &'a Lanes {
    assert!(row < grid.size[0] && col < grid.size[1]);
    // SAFETY: a grid is made only by `new`, which checks that its last vector ends within its floats, and its fields are
    // visible only in `simd`. This vector is not after the last one, as just checked, so the sum does not overflow, and
    // sixteen floats, a `Lanes`, start there.
    unsafe { &*grid.floats.as_ptr().add(row * grid.pitch[0] + col * grid.pitch[1]).cast() }
}

/// The mutable form of [`vector_of`].
#[inline(always)]
pub(super) fn vector_of_mut<'a>(grid: &'a mut GridMut, row: usize, col: usize) -> &'a mut Lanes {
    assert!(row < grid.size[0] && col < grid.size[1]);
    // SAFETY: as in `vector_of`; the grid is borrowed for as long as the vector.
    unsafe { &mut *grid.floats.as_mut_ptr().add(row * grid.pitch[0] + col * grid.pitch[1]).cast() }
}

/// Transposes eight rows of eight.
#[inline(always)]
fn transpose_8(_: Avx2, rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the token proves AVX2.
    unsafe {
        // In each group of four rows: half h of vector c holds the elements of column 4h + c.
        let mut fours = rows;
        for g in [0, 4] {
            let a = _mm256_castps_pd(_mm256_unpacklo_ps(rows[g], rows[g + 1]));
            let b = _mm256_castps_pd(_mm256_unpackhi_ps(rows[g], rows[g + 1]));
            let c = _mm256_castps_pd(_mm256_unpacklo_ps(rows[g + 2], rows[g + 3]));
            let d = _mm256_castps_pd(_mm256_unpackhi_ps(rows[g + 2], rows[g + 3]));
            fours[g] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
            fours[g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
            fours[g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
            fours[g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
        }
        let mut columns = fours;
        for c in 0..4 {
            columns[c] = _mm256_permute2f128_ps::<0x20>(fours[c], fours[c + 4]);
            columns[c + 4] = _mm256_permute2f128_ps::<0x31>(fours[c], fours[c + 4]);
        }
        columns
    }
}
