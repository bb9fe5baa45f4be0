//! Vectors of sixteen `f32` lanes at every SIMD level.
//!
//! A kernel is a plain safe function `fn f<S: Simd>(simd: S, ...)`. The value `simd` is a *token*: it exists only on a
//! CPU that has the level's instructions, so holding it proves that they may run. Only a token makes vectors, so a
//! vector is the same proof; and vectors have operators: `value - rate * mean / (square.sqrt() + epsilon)`. This is the
//! design of the crates `pulp` and `fearless_simd`, cut down to the twenty operations that a neural network needs.
//!
//! A vector always has sixteen lanes; the level decides how many registers hold it: one on AVX-512, two on AVX2,
//! four on NEON and baseline x86-64. Sums have the same order at every level, so the levels with fused multiply-add
//! (AVX2, AVX-512 and NEON) give the same bits.

mod grid;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;
use std::ops::{Add, Div, Mul, Sub};
use std::str::FromStr;
use std::sync::OnceLock;

pub use grid::{Grid, GridMut};
#[cfg(target_arch = "aarch64")]
pub use portable::Neon;
pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// Lanes in a vector, at every level.
pub const LANES: usize = 16;

/// Sixteen consecutive floats in memory: what one vector load reads.
pub type Lanes = [f32; LANES];

/// The token of a SIMD level: makes vectors, and runs code with the level's instructions.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen `f32` in registers.
    type Vector: Vector;

    /// How many vectors of sixteen floats fit in the registers, which limits a register tile.
    const REGISTERS: usize;

    /// All lanes equal to `x`.
    fn splat(self, x: f32) -> Self::Vector;
    /// Reads sixteen floats.
    fn load(self, from: &Lanes) -> Self::Vector;
    /// Sixteen bytes as floats, 0.0 to 255.0.
    fn load_bytes(self, from: &[u8; LANES]) -> Self::Vector;
    /// Runs `f` with the level's instructions switched on. The closure, and every kernel it calls, must be
    /// `#[inline(always)]`: only code inlined into it is compiled for the level. [`dispatch!`](crate::dispatch) and
    /// [`vectorize!`](crate::vectorize) mark the closure so.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;

    /// Prefetches the cache line at the start of the slice, if the level can.
    #[inline(always)]
    fn prefetch(self, _from: &[f32]) {}

    /// The transposed matrix: lane `j` of row `i` becomes lane `i` of row `j`.
    #[inline(always)]
    fn transpose(self, rows: [Self::Vector; LANES]) -> [Self::Vector; LANES] {
        let mut matrix = [[0.0; LANES]; LANES];
        for (row, lanes) in rows.into_iter().zip(&mut matrix) {
            row.store(lanes);
        }
        std::array::from_fn(|j| self.load(&matrix.map(|row| row[j])))
    }

    /// All lanes zero.
    #[inline(always)]
    fn zero(self) -> Self::Vector {
        self.splat(0.0)
    }

    /// Reads up to sixteen floats; the other lanes are zero.
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Self::Vector {
        match from.first_chunk() {
            Some(lanes) => self.load(lanes),
            None => {
                let mut lanes = [0.0; LANES];
                lanes[..from.len()].copy_from_slice(from);
                self.load(&lanes)
            }
        }
    }
}

/// Sixteen `f32` in the registers of one level. Every operation is lane-wise.
pub trait Vector: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// `self * b + c`, rounded once where the level has fused multiply-add. A product that is added with `+` is rounded
    /// twice at every level.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The larger of the two; `b` where either is NaN.
    fn max(self, b: Self) -> Self;
    /// The smaller of the two; `b` where either is NaN.
    fn min(self, b: Self) -> Self;
    /// `self` where `a > b`, else zero.
    fn where_gt(self, a: Self, b: Self) -> Self;
    /// `self` where `a == b`, else `other`.
    fn where_eq(self, a: Self, b: Self, other: Self) -> Self;
    /// Writes sixteen floats.
    fn store(self, to: &mut Lanes);
    /// Writes whole numbers 0.0 to 255.0 as bytes.
    fn store_bytes(self, to: &mut [u8; LANES]);

    /// Writes the first `to.len()` lanes (at most sixteen).
    #[inline(always)]
    fn store_first(self, to: &mut [f32]) {
        match to.first_chunk_mut() {
            Some(lanes) => self.store(lanes),
            None => {
                let mut lanes = [0.0; LANES];
                self.store(&mut lanes);
                to.copy_from_slice(&lanes[..to.len()]);
            }
        }
    }
}

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Whatever the build's target guarantees (SSE2 on x86-64), through the crate `wide`, without fused multiply-add.
    Portable,
    /// NEON: 64-bit ARM.
    Neon,
    /// AVX2 and FMA: most x86-64 CPUs since 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: Intel servers since 2017, AMD CPUs since 2022.
    Avx512,
}

impl Level {
    /// Every level, from the lowest to the highest.
    pub const ALL: [Level; 4] = [Level::Portable, Level::Neon, Level::Avx2, Level::Avx512];

    /// Whether the level has fused multiply-add. All levels that have it give the same bits, on any machine.
    pub fn has_fma(self) -> bool {
        self != Level::Portable
    }

    /// Whether this CPU (and operating system) can run the level.
    pub fn is_supported(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::detect().is_some(),
            Level::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => false,
        }
    }

    /// The highest level that this CPU can run.
    pub fn best() -> Level {
        *Self::ALL.iter().rfind(|level| level.is_supported()).unwrap_or(&Level::Portable)
    }

    /// The level of this process, chosen once: by [`Level::force`], else by the environment variable `THAWLINE_SIMD`
    /// (an unknown or unsupported value is ignored here; the program refuses it), else the best.
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
        /// The requested level.
        wanted: Level,
        /// The highest level that would work.
        best: Level,
    },
    /// This process already uses another level.
    #[error("cannot switch to {wanted}: this process already uses {current}")]
    InUse {
        /// The requested level.
        wanted: Level,
        /// The level in use.
        current: Level,
    },
}

/// A name that is not a SIMD level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown SIMD level '{0}': expected portable, neon, avx2 or avx512")]
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
            Level::Neon => "neon",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        })
    }
}

/// Calls a kernel with the token of a level, and with the level's instructions switched on:
/// `dispatch!(simd => relu(simd, x, y))` for the process's level, `dispatch!(level, simd => relu(simd, x, y))` for
/// another.
///
/// # Panics
/// If the CPU lacks the level; [`Level::current`] never returns such a level.
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
                $crate::vectorize!($simd => $call)
            }
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Level::Avx2 => {
                let $simd = $crate::simd::Avx2::detect().expect("the level was checked against the CPU");
                $crate::vectorize!($simd => $call)
            }
            #[cfg(target_arch = "aarch64")]
            $crate::simd::Level::Neon => {
                let $simd = $crate::simd::Neon::default();
                $crate::vectorize!($simd => $call)
            }
            $crate::simd::Level::Portable => {
                let $simd = $crate::simd::Portable::default();
                $crate::vectorize!($simd => $call)
            }
            level => panic!("this CPU has no {level}"),
        }
    };
}

/// Calls a kernel, which must be `#[inline(always)]`, with a token's instructions switched on. Needed in a task that
/// another thread runs: its code is not inlined into the caller's.
#[macro_export]
macro_rules! vectorize {
    ($simd:ident => $call:expr) => {
        $crate::simd::Simd::vectorize(
            $simd,
            #[inline(always)]
            || $call,
        )
    };
}

/// Floats as vectors.
///
/// # Panics
/// If their number is not a multiple of [`LANES`].
#[inline(always)]
pub fn vectors(floats: &[f32]) -> &[Lanes] {
    let (vectors, rest) = floats.as_chunks();
    assert!(rest.is_empty(), "{} floats are not a whole number of vectors", floats.len());
    vectors
}

/// The mutable form of [`vectors`].
///
/// # Panics
/// As [`vectors`] does.
#[inline(always)]
pub fn vectors_mut(floats: &mut [f32]) -> &mut [Lanes] {
    let len = floats.len();
    let (vectors, rest) = floats.as_chunks_mut();
    assert!(rest.is_empty(), "{len} floats are not a whole number of vectors");
    vectors
}
