//! Threads: the only file that names rayon.
//!
//! Work is always cut by shape, never by the number of threads, and no sum is taken across threads: each task writes
//! its own part, and parts are added afterwards in index order. So the bits of a result don't depend on the threads.

use std::cell::RefCell;

use rayon::prelude::*;

use crate::buffer::Buffer;

/// Why a thread pool could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} threads: {source}")]
pub struct PoolError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

/// The standard library's own default.
const STACK_BYTES: usize = 2 << 20;

/// Runs `work` on a pool of that many threads (0: one per core); every parallel loop inside uses this pool.
///
/// # Errors
/// If the threads can't be started.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, PoolError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        // Else RUST_MIN_STACK decides, and may leave too little.
        .stack_size(STACK_BYTES)
        .thread_name(|n| format!("thawline-{n}"))
        .build()
        .map_err(|source| PoolError { threads, source })?;
    Ok(pool.install(work))
}

/// Threads that a parallel loop started here would use.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// Calls `task(i, item)` for each item, in parallel.
pub fn for_each<T: Send>(items: &mut [T], task: impl Fn(usize, &mut T) + Send + Sync) {
    items.par_iter_mut().enumerate().with_max_len(1).for_each(|(i, item)| task(i, item));
}

/// Calls `task(i, chunk)` for the consecutive chunks of a slice, in parallel.
pub fn for_chunks<T: Send>(data: &mut [T], chunk: usize, task: impl Fn(usize, &mut [T]) + Send + Sync) {
    data.par_chunks_mut(chunk).enumerate().with_max_len(1).for_each(|(i, chunk)| task(i, chunk));
}

/// Calls `task(i, item, chunk)` for items and the chunks of a slice that belong to them, in parallel.
pub fn for_each_with_chunk<A: Send, B: Send>(
    items: &mut [A],
    data: &mut [B],
    chunk: usize,
    task: impl Fn(usize, &mut A, &mut [B]) + Send + Sync,
) {
    let chunks = data.par_chunks_mut(chunk);
    items.par_iter_mut().zip(chunks).enumerate().with_max_len(1).for_each(|(i, (item, chunk))| task(i, item, chunk));
}

/// Calls `task(i, item, chunks)` for items and the chunks of two slices that belong to them, in parallel.
pub fn for_each_with_two_chunks<A: Send>(
    items: &mut [A],
    [a, b]: [&mut [f32]; 2],
    [chunk_a, chunk_b]: [usize; 2],
    task: impl Fn(usize, &mut A, [&mut [f32]; 2]) + Send + Sync,
) {
    let chunks = a.par_chunks_mut(chunk_a).zip(b.par_chunks_mut(chunk_b));
    items.par_iter_mut().zip(chunks).enumerate().with_max_len(1).for_each(|(i, (item, (a, b)))| task(i, item, [a, b]));
}

/// Calls `task(i, chunks)` for the consecutive chunks of three slices of one length, in parallel.
pub fn for_chunks_of_three(
    [a, b, c]: [&mut [f32]; 3],
    chunk: usize,
    task: impl Fn(usize, [&mut [f32]; 3]) + Send + Sync,
) {
    a.par_chunks_mut(chunk)
        .zip(b.par_chunks_mut(chunk))
        .zip(c.par_chunks_mut(chunk))
        .enumerate()
        .with_max_len(1)
        .for_each(|(i, ((a, b), c))| task(i, [a, b, c]));
}

/// Most rows of a matrix that [`for_strips`] takes.
pub const STRIP_ROWS: usize = 128;

/// Calls `task(column, rows)` for strips of a row-major matrix, in parallel: `column` is the first of at most `width`
/// columns, `rows` are the pieces of all rows that lie in the strip.
///
/// # Panics
/// If the matrix has more than [`STRIP_ROWS`] rows.
pub fn for_strips(
    matrix: &mut [f32],
    columns: usize,
    width: usize,
    task: impl Fn(usize, &mut [&mut [f32]]) + Send + Sync,
) {
    let count = matrix.len() / columns;
    let mut rows = matrix.chunks_exact_mut(columns);
    let mut rows: [&mut [f32]; STRIP_ROWS] = std::array::from_fn(|_| rows.next().unwrap_or_default());
    halve(&mut rows[..count], 0, width, &task);
}

/// Splits all rows at the same column, until one strip is left.
fn halve(rows: &mut [&mut [f32]], column: usize, width: usize, task: &(impl Fn(usize, &mut [&mut [f32]]) + Sync)) {
    let columns = rows.first().map_or(0, |row| row.len());
    if columns <= width {
        return task(column, rows);
    }
    let middle = columns.div_ceil(width).div_ceil(2) * width;
    let mut right: [&mut [f32]; STRIP_ROWS] = std::array::from_fn(|_| <&mut [f32]>::default());
    for (row, right) in rows.iter_mut().zip(&mut right) {
        (*row, *right) = std::mem::take(row).split_at_mut(middle);
    }
    let right = &mut right[..rows.len()];
    rayon::join(|| halve(rows, column, width, task), || halve(right, column + middle, width, task));
}

thread_local! {
    static SCRATCH: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` a scratch buffer of this thread. Its content is arbitrary. It is kept for the next call, so that a
/// training step allocates nothing and scratch stays in the core's own cache; calls may be nested.
#[inline(always)]
pub fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = take_scratch(len);
    let result = work(&mut buffer[..len]);
    SCRATCH.with_borrow_mut(|spare| spare.push(buffer));
    result
}

/// The smallest spare buffer that is large enough, or a new one.
fn take_scratch(len: usize) -> Buffer {
    SCRATCH.with_borrow_mut(|spare| {
        let fits = (0..spare.len()).filter(|&i| spare[i].len() >= len).min_by_key(|&i| spare[i].len());
        fits.map_or_else(|| Buffer::zeros(len), |i| spare.swap_remove(i))
    })
}
