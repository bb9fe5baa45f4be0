//! Parsers of flag values, with their error messages.

use crate::system::number;

type Parsed<T> = Result<T, String>;

pub(crate) fn count(text: &str) -> Parsed<usize> {
    // More than any count here needs, and a product of two such numbers does not overflow.
    at_most(1 << 31, "", text)
}

fn at_most(most: usize, of_what: &str, text: &str) -> Parsed<usize> {
    match text.parse::<u128>() {
        Ok(found) if (1..=most as u128).contains(&found) => Ok(found as usize),
        Ok(1..) => Err(format!("expected at most {}{of_what}", number::count(most as u64))),
        _ => Err("expected a whole number, at least 1".to_owned()),
    }
}

/// TOML, which stores a run's settings, has no larger integers.
pub(crate) fn seed(text: &str) -> Parsed<u64> {
    const MAX: u64 = i64::MAX as u64;
    text.parse().ok().filter(|&seed| seed <= MAX).ok_or_else(|| format!("expected a whole number from 0 to {MAX}"))
}

pub(super) fn thread_count(text: &str) -> Parsed<usize> {
    at_most(1024, " threads", text)
}

/// The picture of 100 columns and 100 rows, CIFAR-100's classes, takes 400 MB before it is compressed.
pub(super) fn columns(text: &str) -> Parsed<usize> {
    at_most(100, " pictures per class", text)
}

fn rate(text: &str) -> Parsed<f64> {
    let in_range = |rate: &f64| (0.0..1.0).contains(rate);
    text.parse().ok().filter(in_range).ok_or_else(|| "expected a rate, at least 0 and below 1".to_owned())
}

pub(crate) fn learning_rate(text: &str) -> Parsed<f64> {
    let positive = |rate: &f64| rate.is_finite() && *rate > 0.0;
    text.parse().ok().filter(positive).ok_or_else(|| "expected a number above 0, such as 0.001".to_owned())
}

pub(super) fn counts(text: &str) -> Parsed<[usize; 2]> {
    one_or_two(text, count)
}

pub(super) fn rates(text: &str) -> Parsed<[f64; 2]> {
    one_or_two(text, rate)
}

/// `a` stands for `a,a`.
fn one_or_two<T: Copy>(text: &str, parse: fn(&str) -> Parsed<T>) -> Parsed<[T; 2]> {
    match text.split_once(',') {
        None => parse(text).map(|both| [both; 2]),
        Some((first, second)) => Ok([parse(first.trim())?, parse(second.trim())?]),
    }
}
