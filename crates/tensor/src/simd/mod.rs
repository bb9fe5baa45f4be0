//! Floor 0, the vector: sixteen `f32` lanes at every SIMD level.
//!
//! A kernel is a plain safe function `fn f<S: Simd>(simd: S, ...)`. The value `simd` is a *token*: it can only be
//! obtained on a CPU that has its instructions, so holding one is the proof that running them is sound. This is the
//! design of the crates `pulp` and `fearless_simd`, cut down to the dozen operations that a neural network needs.
//!
//! A vector is sixteen lanes everywhere; a level decides how many registers carry it: one on AVX-512, two on AVX2,
//! four on baseline x86-64. Layouts, loop counts and the order of every sum are therefore the same at every level, and
//! AVX2 and AVX-512, which both have fused multiply-add, give the same bits.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// Lanes in a vector, at every level.
pub const LANES: usize = 16;

/// Sixteen consecutive floats in memory: what one vector load reads.
pub type Lanes = [f32; LANES];

/// The operations of one SIMD level. Lane-wise unless said otherwise.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen `f32` in registers.
    type V: Copy;

    /// The level this token stands for.
    const LEVEL: Level;

    /// How many vectors the register file holds: what a register tile has to fit in.
    const REGISTERS: usize;

    /// All lanes equal to `x`.
    fn splat(self, x: f32) -> Self::V;
    /// Reads sixteen floats.
    fn load(self, from: &Lanes) -> Self::V;
    /// Writes sixteen floats.
    fn store(self, v: Self::V, to: &mut Lanes);
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The square root, correctly rounded.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the level has fused multiply-add.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of the two; `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of the two; `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `x` where `a > b`, else zero.
    fn keep_where_gt(self, a: Self::V, b: Self::V, x: Self::V) -> Self::V;
    /// `x` where `a == b`, else `y`.
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// Sixteen bytes as floats, 0.0 to 255.0.
    fn load_bytes(self, from: &[u8; LANES]) -> Self::V;
    /// Whole numbers 0.0 to 255.0 as bytes.
    fn store_bytes(self, v: Self::V, to: &mut [u8; LANES]);
    /// Asks for memory that is needed soon. Changes nothing but time.
    #[inline(always)]
    fn prefetch(self, _from: &[f32]) {}
    /// The transposed matrix: lane `j` of row `i` becomes lane `i` of row `j`.
    #[inline(always)]
    fn transpose(self, rows: [Self::V; LANES]) -> [Self::V; LANES] {
        let mut matrix = [[0.0; LANES]; LANES];
        for (row, lanes) in rows.into_iter().zip(&mut matrix) {
            self.store(row, lanes);
        }
        std::array::from_fn(|j| self.load(&matrix.map(|row| row[j])))
    }
    /// Runs `f` with the level's instructions switched on. The closure, and every kernel it calls, must be
    /// `#[inline(always)]`: only code inlined into it is compiled for the level.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;

    /// All lanes zero.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// Reads up to sixteen floats; the lanes past the end are zero.
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Self::V {
        match from.first_chunk() {
            Some(lanes) => self.load(lanes),
            None => {
                let mut lanes = [0.0; LANES];
                lanes[..from.len()].copy_from_slice(from);
                self.load(&lanes)
            }
        }
    }

    /// Writes the first lanes, as many as `to` has room for (at most sixteen).
    #[inline(always)]
    fn store_first(self, v: Self::V, to: &mut [f32]) {
        match to.first_chunk_mut() {
            Some(lanes) => self.store(v, lanes),
            None => {
                let mut lanes = [0.0; LANES];
                self.store(v, &mut lanes);
                to.copy_from_slice(&lanes[..to.len()]);
            }
        }
    }
}

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Whatever the build's target guarantees (SSE2 on x86-64), through the crate `wide`. No fused multiply-add.
    Portable,
    /// AVX2 and FMA: x86-64 since 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: servers since 2017, desktops since 2022.
    Avx512,
}

impl Level {
    /// Every level, from the lowest to the highest.
    pub const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];

    /// Whether this CPU (and operating system) can run the level.
    pub fn is_supported(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The highest level that this CPU can run.
    pub fn best() -> Level {
        *Self::ALL.iter().rfind(|level| level.is_supported()).unwrap_or(&Level::Portable)
    }

    /// The level that this process uses: chosen once, by [`Level::force`], else by the environment variable
    /// `THAWLINE_SIMD` (an unknown or unsupported value is ignored here; the program refuses it), else the best.
    pub fn current() -> Level {
        *CURRENT.get_or_init(|| {
            std::env::var("THAWLINE_SIMD")
                .ok()
                .and_then(|name| name.parse().ok())
                .filter(|level: &Level| level.is_supported())
                .unwrap_or_else(Level::best)
        })
    }

    /// Fixes the level of this process, before any kernel has run.
    ///
    /// # Errors
    /// If the CPU lacks the level, or another one is already in use.
    pub fn force(self) -> Result<(), LevelError> {
        if !self.is_supported() {
            return Err(LevelError::Unsupported { wanted: self, best: Level::best() });
        }
        match *CURRENT.get_or_init(|| self) {
            current if current == self => Ok(()),
            current => Err(LevelError::InUse { wanted: self, current }),
        }
    }
}

static CURRENT: OnceLock<Level> = OnceLock::new();

/// Why a level can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// The CPU lacks the instructions.
    #[error("this CPU has no {wanted}; the highest level it runs is {best}")]
    Unsupported {
        /// The level asked for.
        wanted: Level,
        /// The highest level that would work.
        best: Level,
    },
    /// Kernels have already run at another level.
    #[error("cannot switch to {wanted}: this process already computes with {current}")]
    InUse {
        /// The level asked for.
        wanted: Level,
        /// The level in use.
        current: Level,
    },
}

/// A word that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown SIMD level '{0}': expected portable, avx2 or avx512")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.to_string() == name).ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        })
    }
}

/// Calls a kernel with the token of a level: `dispatch!(simd => kernel(simd, x, y))` for the process's level,
/// `dispatch!(level, simd => kernel(simd, x, y))` for another one.
///
/// # Panics
/// If the CPU lacks the level; [`Level::current`] never names such a one.
#[macro_export]
macro_rules! dispatch {
    ($simd:ident => $call:expr) => {
        $crate::dispatch!($crate::simd::Level::current(), $simd => $call)
    };
    ($level:expr, $simd:ident => $call:expr) => {
        match $level {
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Level::Avx512 => {
                let $simd = $crate::simd::Avx512::detect().expect("the level was checked against the CPU");
                $call
            }
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Level::Avx2 => {
                let $simd = $crate::simd::Avx2::detect().expect("the level was checked against the CPU");
                $call
            }
            _ => {
                let $simd = $crate::simd::Portable;
                $call
            }
        }
    };
}

/// A float slice, which must be a whole number of vectors long, as vectors.
///
/// # Panics
/// If it is not.
#[inline(always)]
pub fn vectors(floats: &[f32]) -> &[Lanes] {
    let (vectors, rest) = floats.as_chunks();
    assert!(rest.is_empty(), "{} floats are no whole number of vectors", floats.len());
    vectors
}

/// As [`vectors`], to write.
///
/// # Panics
/// As [`vectors`] does.
#[inline(always)]
pub fn vectors_mut(floats: &mut [f32]) -> &mut [Lanes] {
    let len = floats.len();
    let (vectors, rest) = floats.as_chunks_mut();
    assert!(rest.is_empty(), "{len} floats are no whole number of vectors");
    vectors
}
