//! Numbers for people, on the terminal and in reports: a few digits, a unit, no scientific notation.
//!
//! Number and unit are separated by a no-break space. The console prints it as a plain space.

/// Keeps a number and its unit on one line.
pub const NBSP: char = '\u{a0}';

/// `77.42 %`, with two decimals as in the tutorial.
pub fn percent(fraction: f64) -> String {
    format!("{:.2}{NBSP}%", fraction * 100.0)
}

/// `77.4 %`, for running text.
pub fn percent_briefly(fraction: f64) -> String {
    format!("{:.1}{NBSP}%", fraction * 100.0)
}

/// A probability, never shown as 100 %.
pub fn certainty(probability: f64) -> String {
    let text = percent_briefly(probability);
    if text.starts_with("100") { format!("more than 99.9{NBSP}%") } else { text }
}

/// `1,645,125`.
pub fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// `1 seed`, `6 seeds`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// `0.31 s`, `86.6 s`, `14 min 05 s`, `2 h 31 min`.
pub fn duration(seconds: f64) -> String {
    // The cast saturates, so an impossible time in a damaged record does not panic.
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.995 => format!("{s:.2}{NBSP}s"),
        s if s < 179.95 => format!("{s:.1}{NBSP}s"),
        _ if whole < 3600 => format!("{}{NBSP}min{NBSP}{:02}{NBSP}s", whole / 60, whole % 60),
        _ => format!("{}{NBSP}h{NBSP}{:02}{NBSP}min", whole / 3600, whole % 3600 / 60),
    }
}

/// `512 B`, `13.6 kB`, `1.25 GB`, in powers of ten.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes, "B")
}

/// Floating-point operations: `57.6 MFLOP`.
pub fn flops(flops: u64) -> String {
    scaled(flops, "FLOP")
}

/// At most three digits, and the unit with an SI prefix.
fn scaled(number: u64, unit: &str) -> String {
    let mut value = number as f64;
    let mut prefixes = ["", "k", "M", "G", "T", "P", "E"].into_iter();
    let mut prefix = prefixes.next();
    // 999.5 would be rounded to 1000.
    while value >= 999.5 {
        value /= 1000.0;
        prefix = prefixes.next();
    }
    let decimals = match value {
        _ if number < 1000 => 0,
        v if v < 9.995 => 2,
        v => usize::from(v < 99.95),
    };
    format!("{value:.decimals$}{NBSP}{}{unit}", prefix.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted() {
        for (text, expected) in [
            (percent(0.7742), "77.42 %"),
            (percent_briefly(0.8694), "86.9 %"),
            (certainty(0.994), "99.4 %"),
            (certainty(0.99999), "more than 99.9 %"),
            (count(0), "0"),
            (count(999), "999"),
            (count(38_720), "38,720"),
            (count(u64::MAX), "18,446,744,073,709,551,615"),
            (counted(1, "seed"), "1 seed"),
            (counted(2_000, "seed"), "2,000 seeds"),
            (duration(0.0), "0.00 s"),
            (duration(0.314), "0.31 s"),
            (duration(0.996), "1.0 s"),
            (duration(86.61), "86.6 s"),
            (duration(179.96), "3 min 00 s"),
            (duration(845.2), "14 min 05 s"),
            (duration(3599.7), "1 h 00 min"),
            (duration(9_067.0), "2 h 31 min"),
            (bytes(0), "0 B"),
            (bytes(999), "999 B"),
            (bytes(1_000), "1.00 kB"),
            (bytes(13_568), "13.6 kB"),
            (bytes(999_499), "999 kB"),
            (bytes(999_500), "1.00 MB"),
            (bytes(u64::MAX), "18.4 EB"),
            (flops(57_600_000), "57.6 MFLOP"),
        ] {
            assert_eq!(text.replace(NBSP, " "), expected);
        }
    }
}
