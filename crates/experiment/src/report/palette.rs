//! The report's colours, on light and on dark pages.
//!
//! The curves have the colours of Okabe and Ito (2008), which colour-blind readers tell apart. Some are shifted: each
//! has a contrast of at least 3 with the page, and any two differ by at least 16 in CIELAB for every kind of colour
//! vision.

/// The use of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ink {
    Page,
    #[default]
    Text,
    /// Axis labels, notes, published results.
    Muted,
    Grid,
    /// The network trained on the source classes, and arms trained from scratch: blue.
    Model1,
    /// The head on frozen features: vermilion.
    Model2,
    /// Fine-tuned features: green.
    FineTuned,
    /// Untrained features: pink, on dark pages reddish purple.
    Untrained,
    /// A head that starts from trained weights: orange, on dark pages yellow.
    Warm,
    /// Any other arm.
    Other,
}

/// The inks in their order: name in the style sheet, colour on light and on dark pages.
const INKS: [(Ink, &str, u32, u32); 10] = [
    (Ink::Page, "page", 0xFDFDFB, 0x16181C),
    (Ink::Text, "text", 0x1F2328, 0xE4E6EA),
    (Ink::Muted, "muted", 0x636870, 0x9CA2AC),
    (Ink::Grid, "grid", 0xE2E2DC, 0x33373E),
    (Ink::Model1, "model-1", 0x0072B2, 0x56B4E9),
    (Ink::Model2, "model-2", 0xB63D02, 0xE0650F),
    (Ink::FineTuned, "fine-tuned", 0x0BA95C, 0x009E73),
    (Ink::Untrained, "untrained", 0xE8669A, 0xCC79A7),
    (Ink::Warm, "warm", 0xC48700, 0xF0E442),
    (Ink::Other, "other", 0x1F2328, 0xE4E6EA),
];

pub(super) const CURVES: [Ink; 6] = [Ink::Model2, Ink::Model1, Ink::FineTuned, Ink::Untrained, Ink::Warm, Ink::Other];

/// Dashes for curves, so that they also differ without colour: a curve has the dash of its ink, or the next one if
/// another curve of the same ink has it.
const DASHES: [&str; 6] = ["none", "7 4", "2 4", "9 3 2 3", "12 6", "4 2"];

const DARK: &str = "@media screen and (prefers-color-scheme:dark)";

impl Ink {
    /// The CSS class and variable.
    pub(super) fn name(self) -> &'static str {
        INKS[self as usize].1
    }

    /// The colour on light pages.
    pub(super) fn hex(self) -> String {
        hex(INKS[self as usize].2)
    }

    /// The dash of the nth curve of this ink in a chart.
    pub(super) fn dash(self, nth: usize) -> &'static str {
        let first = CURVES.iter().position(|ink| *ink == self).unwrap_or(0);
        DASHES[(first + nth) % DASHES.len()]
    }
}

fn hex(color: u32) -> String {
    format!("#{color:06X}")
}

/// A page's colours: a variable for each ink, dark on screens of readers who prefer that; and the classes of plots and
/// of table rows.
pub(super) fn page_colors() -> String {
    let light: String = INKS.iter().map(|&(_, name, light, _)| format!("--{name}:{};", hex(light))).collect();
    let dark: String = INKS.iter().map(|&(_, name, _, dark)| format!("--{name}:{};", hex(dark))).collect();
    let mut css = format!(":root{{{light}}}\n{DARK}{{:root{{{dark}}}}}\n");
    for (_, name, ..) in INKS {
        css += &class(name, &format!("var(--{name})"));
        css += &format!("tr.{name} th{{--ink:var(--{name})}}\n");
    }
    css
}

/// The colours of a plot in its own file, without CSS variables, which not every SVG viewer supports.
pub(super) fn plot_colors() -> String {
    let light: String = INKS.iter().map(|&(_, name, light, _)| class(name, &hex(light))).collect();
    let dark: String = INKS.iter().map(|&(_, name, _, dark)| class(name, &hex(dark))).collect();
    format!("{light}{DARK}{{\n{dark}}}\n")
}

fn class(name: &str, color: &str) -> String {
    format!(".fill-{name}{{fill:{color}}}.stroke-{name}{{stroke:{color}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Color = [f64; 3];

    fn times(matrix: [Color; 3], color: Color) -> Color {
        matrix.map(|row| row.iter().zip(color).map(|(a, b)| a * b).sum())
    }

    /// Linear red, green and blue of an sRGB colour.
    fn linear(color: u32) -> Color {
        let [_, rgb @ ..] = color.to_be_bytes();
        rgb.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { libm::pow((c + 0.055) / 1.055, 2.4) }
        })
    }

    /// CIE XYZ of linear sRGB, relative to white (D65).
    fn xyz(color: Color) -> Color {
        times([[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8729]], color)
    }

    /// The distance between two colours in CIELAB: about 2 is the smallest that a trained eye sees side by side.
    fn distance([a, b]: [Color; 2]) -> f64 {
        let [a, b] = [a, b].map(|color| {
            let [x, y, z] = xyz(color).map(|v| if v > 0.008856 { libm::cbrt(v) } else { 7.787 * v + 16.0 / 116.0 });
            [116.0 * y, 500.0 * (x - y), 200.0 * (y - z)]
        });
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    }

    /// Linear sRGB as seen with all cones or without one kind: matrices from Machado, Oliveira and Fernandes (2009).
    const EYES: [(&str, [Color; 3]); 4] = [
        ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        ("protanopia", [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
        ("deuteranopia", [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
        ("tritanopia", [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9309, 0.1476], [0.0047, 0.6914, 0.3039]]),
    ];

    #[test]
    fn curves_differ_for_every_kind_of_colour_vision() {
        let curves = &INKS[Ink::Model1 as usize..];
        for (eye, matrix) in EYES {
            for (index, a) in curves.iter().enumerate() {
                for b in &curves[index + 1..] {
                    for (page, pair) in [("light", [a.2, b.2]), ("dark", [a.3, b.3])] {
                        let seen = |color| times(matrix, linear(color)).map(|channel| channel.clamp(0.0, 1.0));
                        let delta = distance(pair.map(seen));
                        assert!(delta >= 16.0, "{:?} and {:?} on {page} pages, {eye}: {delta:.1}", a.0, b.0);
                    }
                }
            }
        }
    }

    #[test]
    fn contrasts_meet_the_accessibility_guidelines() {
        let luminance = |color| xyz(linear(color))[1] + 0.05;
        assert!(INKS.iter().enumerate().all(|(index, row)| row.0 as usize == index));
        let (_, _, light_page, dark_page) = INKS[Ink::Page as usize];
        for (ink, _, light, dark) in INKS.into_iter().filter(|(ink, ..)| ![Ink::Page, Ink::Grid].contains(ink)) {
            // The Web Content Accessibility Guidelines ask for 4.5 for words and 3 for lines.
            let least = if [Ink::Text, Ink::Muted].contains(&ink) { 4.5 } else { 3.0 };
            for (color, page) in [(light, light_page), (dark, dark_page)] {
                let (a, b) = (luminance(color), luminance(page));
                let contrast = a.max(b) / a.min(b);
                assert!(contrast >= least, "{ink:?} has a contrast of {contrast:.2} instead of {least}");
            }
        }
    }
}
