//! The report's colours, for the style sheet and the plots, on light and on dark pages.

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Page,
    Text,
    /// Axis labels, notes, published results.
    Muted,
    Grid,
    /// The network that learns the source classes, and whatever learns from its initialisation: blue.
    Model1,
    /// The head on frozen features: vermilion, which colour-blind readers tell from blue.
    Model2,
    /// Features that are trained on: green.
    FineTuned,
    /// Features that never learned: purple.
    Untrained,
    /// A head that starts from trained weights: ochre.
    Warm,
    /// Anything else that is compared: teal.
    Other,
}

/// The inks in their order: name in the style sheet, colour on light and on dark pages.
const INKS: [(Ink, &str, u32, u32); 10] = [
    (Ink::Page, "page", 0xFDFDFB, 0x16181C),
    (Ink::Text, "text", 0x1F2328, 0xE4E6EA),
    (Ink::Muted, "muted", 0x636870, 0x9CA2AC),
    (Ink::Grid, "grid", 0xE2E2DC, 0x33373E),
    (Ink::Model1, "model-1", 0x2A6FB0, 0x78B4EC),
    (Ink::Model2, "model-2", 0xC24A17, 0xF0936A),
    (Ink::FineTuned, "fine-tuned", 0x2B7A4B, 0x7CC997),
    (Ink::Untrained, "untrained", 0x7A4FA3, 0xBDA0E3),
    (Ink::Warm, "warm", 0x866500, 0xDBB850),
    (Ink::Other, "other", 0x0B747B, 0x62C6CC),
];

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
}

fn hex(color: u32) -> String {
    format!("#{color:06X}")
}

/// A page's colours: a variable for each ink, light, or dark where the reader prefers that, and light on paper; the classes of
/// plots, and those of words.
pub(super) fn page_colors() -> String {
    let light: String = INKS.iter().map(|&(_, name, light, _)| format!("--{name}:{};", hex(light))).collect();
    let dark: String = INKS.iter().map(|&(_, name, _, dark)| format!("--{name}:{};", hex(dark))).collect();
    let mut css = format!(":root{{{light}}}\n{DARK}{{:root{{{dark}}}}}\n");
    for (_, name, ..) in INKS {
        css += &class(name, &format!("var(--{name})"));
        css += &format!("strong.{name},tr.{name} th{{color:var(--{name})}}\n");
    }
    css
}

/// The colours of a plot in a file of its own, in CSS so plain that most viewers understand it.
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

    #[test]
    fn each_ink_has_its_row() {
        assert!(INKS.iter().enumerate().all(|(index, row)| row.0 as usize == index));
    }

    /// Relative luminance, as the Web Content Accessibility Guidelines define it.
    fn luminance(color: u32) -> f64 {
        let [_, red, green, blue] = color.to_be_bytes().map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { libm::pow((c + 0.055) / 1.055, 2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn words_in_any_ink_are_legible_on_both_pages() {
        let (_, _, light_page, dark_page) = INKS[Ink::Page as usize];
        for (ink, _, light, dark) in INKS.into_iter().filter(|(ink, ..)| ![Ink::Page, Ink::Grid].contains(ink)) {
            for (color, page) in [(light, light_page), (dark, dark_page)] {
                let (a, b) = (luminance(color) + 0.05, luminance(page) + 0.05);
                let contrast = a.max(b) / a.min(b);
                assert!(contrast >= 4.5, "{ink:?} has a contrast of {contrast:.2}; the guidelines ask for 4.5");
            }
        }
    }
}
