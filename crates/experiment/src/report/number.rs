//! Numbers as people read them: a few digits, a unit, no scientific notation.
//!
//! A no-break space stands between number and unit, so that a line never ends between them.

const NBSP: char = '\u{a0}';

/// A fraction in per cent with two decimals, as the tutorial gives them: `77.42 %`.
pub(super) fn percent(fraction: f64) -> String {
    format!("{:.2}{NBSP}%", fraction * 100.0)
}

/// A fraction in per cent with one decimal, for running text: `77.4 %`.
pub(super) fn percent_briefly(fraction: f64) -> String {
    format!("{:.1}{NBSP}%", fraction * 100.0)
}

/// A probability in percent, with so many digits that it never says 100 %.
pub(super) fn percent_of_certainty(confidence: f64) -> String {
    let text = format!("{:.1}\u{a0}%", confidence * 100.0);
    if text.starts_with("100") { "more than 99.9\u{a0}%".to_owned() } else { text }
}

/// A count with commas between thousands: `1,645,125`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time: `0.31 s`, `86.6 s`, `14 min 05 s`, `2 h 31 min`.
pub(super) fn seconds(seconds: f64) -> String {
    // Casts saturate: a damaged record's absurd time is an absurd number here, never a panic.
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 9.995 => format!("{s:.2}{NBSP}s"),
        s if s < 179.95 => format!("{s:.1}{NBSP}s"),
        _ if whole < 3600 => format!("{}{NBSP}min{NBSP}{:02}{NBSP}s", whole / 60, whole % 60),
        _ => format!("{}{NBSP}h{NBSP}{:02}{NBSP}min", whole / 3600, whole % 3600 / 60),
    }
}

/// A size in powers of ten: `512 B`, `13.6 kB`, `1.25 GB`.
pub(super) fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Floating-point operations: `57.6 MFLOP`.
pub(super) fn flops(flops: u64) -> String {
    scaled(flops, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"])
}

/// How many times `b` fits into `a`: `2.8`, or nothing where that means nothing.
pub(super) fn times(a: f64, b: f64) -> Option<String> {
    let ratio = a / b;
    (ratio.is_finite() && ratio > 0.0).then(|| if ratio < 9.95 { format!("{ratio:.1}") } else { format!("{ratio:.0}") })
}

/// Three digits and the unit of the fitting power of a thousand.
fn scaled(number: u64, units: &[&str]) -> String {
    if number < 1000 {
        return format!("{number}{NBSP}{}", units[0]);
    }
    let mut value = number as f64;
    let mut power = 0;
    // 999.5 and more would be shown as 1000.
    while value >= 999.5 && power + 1 < units.len() {
        value /= 1000.0;
        power += 1;
    }
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}{NBSP}{}", units[power])
}

/// Names as a sentence has them: `cat, dog and ship`; only their number where there are many.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => "no classes".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] if names.len() <= 10 => format!("{} and {last}", first.join(", ")),
        many => format!("{} classes", many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with ordinary spaces, for legible expectations.
    fn plain(text: String) -> String {
        text.replace(NBSP, " ")
    }

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(plain(percent(0.7742)), "77.42 %");
        assert_eq!(plain(percent_briefly(0.8694)), "86.9 %");
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_645_125, "1,645,125"), (38_720, "38,720")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn times_choose_their_unit() {
        for (time, text) in [
            (0.0, "0.00 s"),
            (0.314, "0.31 s"),
            (9.996, "10.0 s"),
            (86.61, "86.6 s"),
            (179.96, "3 min 00 s"),
            (845.2, "14 min 05 s"),
            (3599.7, "1 h 00 min"),
            (9_067.0, "2 h 31 min"),
        ] {
            assert_eq!(plain(seconds(time)), text);
        }
        assert_eq!(times(86.61, 52.11).as_deref(), Some("1.7"));
        assert_eq!(times(50.0, 4.0).as_deref(), Some("12"));
        assert_eq!(times(1.0, 0.0), None);
        assert_eq!(times(0.0, 0.0), None);
    }

    #[test]
    fn sizes_keep_three_digits() {
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (13_568, "13.6 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (1_254_400_000, "1.25 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(plain(bytes(size)), text);
        }
        assert_eq!(plain(flops(57_600_000)), "57.6 MFLOP");
    }

    #[test]
    fn lists_end_with_and() {
        assert_eq!(listed(["cat"]), "cat");
        assert_eq!(listed(["cat", "dog"]), "cat and dog");
        assert_eq!(listed(["cat", "dog", "ship"]), "cat, dog and ship");
        assert_eq!(listed(["a"; 50]), "50 classes");
    }
}
