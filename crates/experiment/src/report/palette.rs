//! The report's colours, once: for the style sheet, for the plots, on light and on dark pages.
//!
//! plotters writes a colour into each element of a plot. [`mark_inks`] adds a CSS class beside it, and a style
//! sheet gives that class the colour of the reader's colour scheme. A viewer that knows no CSS still finds the
//! light colour in the element.

use plotters::style::RGBColor;

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// The ground.
    Page,
    /// Words and numbers.
    Text,
    /// Axis labels, notes, other people's results.
    Muted,
    /// Hairlines.
    Grid,
    /// The network that learns the source classes, and whatever learns from its initialisation: blue.
    Model1,
    /// The head that learns the target classes on frozen features: vermilion, which colour-blind readers tell from blue.
    Model2,
    /// Features that go on learning: green.
    FineTuned,
    /// Features that never learned: purple.
    Untrained,
    /// A head that is not new: ochre.
    Warm,
    /// Anything else that is compared: teal.
    Other,
}

type Rgb = (u8, u8, u8);

impl Ink {
    pub(super) const ALL: [Ink; 10] = [
        Ink::Page,
        Ink::Text,
        Ink::Muted,
        Ink::Grid,
        Ink::Model1,
        Ink::Model2,
        Ink::FineTuned,
        Ink::Untrained,
        Ink::Warm,
        Ink::Other,
    ];

    /// The name in the style sheet.
    pub(super) fn name(self) -> &'static str {
        match self {
            Ink::Page => "page",
            Ink::Text => "text",
            Ink::Muted => "muted",
            Ink::Grid => "grid",
            Ink::Model1 => "model-1",
            Ink::Model2 => "model-2",
            Ink::FineTuned => "fine-tuned",
            Ink::Untrained => "untrained",
            Ink::Warm => "warm",
            Ink::Other => "other",
        }
    }

    fn light(self) -> Rgb {
        match self {
            Ink::Page => (0xFD, 0xFD, 0xFB),
            Ink::Text => (0x1F, 0x23, 0x28),
            Ink::Muted => (0x63, 0x68, 0x70),
            Ink::Grid => (0xE2, 0xE2, 0xDC),
            Ink::Model1 => (0x2A, 0x6F, 0xB0),
            Ink::Model2 => (0xC2, 0x4A, 0x17),
            Ink::FineTuned => (0x2B, 0x7A, 0x4B),
            Ink::Untrained => (0x7A, 0x4F, 0xA3),
            Ink::Warm => (0x86, 0x65, 0x00),
            Ink::Other => (0x0B, 0x74, 0x7B),
        }
    }

    fn dark(self) -> Rgb {
        match self {
            Ink::Page => (0x16, 0x18, 0x1C),
            Ink::Text => (0xE4, 0xE6, 0xEA),
            Ink::Muted => (0x9C, 0xA2, 0xAC),
            Ink::Grid => (0x33, 0x37, 0x3E),
            Ink::Model1 => (0x78, 0xB4, 0xEC),
            Ink::Model2 => (0xF0, 0x93, 0x6A),
            Ink::FineTuned => (0x7C, 0xC9, 0x97),
            Ink::Untrained => (0xBD, 0xA0, 0xE3),
            Ink::Warm => (0xDB, 0xB8, 0x50),
            Ink::Other => (0x62, 0xC6, 0xCC),
        }
    }

    /// The colour as plotters is told it.
    pub(super) fn color(self) -> RGBColor {
        let (red, green, blue) = self.light();
        RGBColor(red, green, blue)
    }

    /// Adds this ink's class to every element of `svg` that is filled or stroked with its colour.
    fn mark(self, svg: &str) -> String {
        let (name, hex) = (self.name(), hex(self.light()));
        svg.replace(&format!(r#"fill="{hex}""#), &format!(r#"class="fill-{name}" fill="{hex}""#))
            .replace(&format!(r#"stroke="{hex}""#), &format!(r#"class="stroke-{name}" stroke="{hex}""#))
    }
}

fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Marks every coloured element of a plot with the class of its ink.
pub(super) fn mark_inks(svg: &str) -> String {
    Ink::ALL.iter().fold(svg.to_owned(), |svg, ink| ink.mark(&svg))
}

/// A page's colours: a variable for each ink, light, or dark where the reader prefers that, and light on paper;
/// and the classes that [`mark_inks`] hands out.
pub(super) fn page_colors() -> String {
    let variables = |shade: fn(Ink) -> Rgb| -> String {
        Ink::ALL.iter().map(|&ink| format!("--{}:{};", ink.name(), hex(shade(ink)))).collect()
    };
    let classes = classes(|ink| format!("var(--{})", ink.name()));
    format!(":root{{{}}}\n{DARK}{{:root{{{}}}}}\n{classes}", variables(Ink::light), variables(Ink::dark))
}

/// The colours of a plot in a file of its own, in the plainest CSS, which most viewers understand.
pub(super) fn plot_colors() -> String {
    let (light, dark) = (classes(|ink| hex(ink.light())), classes(|ink| hex(ink.dark())));
    format!("{light}{DARK}{{\n{dark}}}\n")
}

const DARK: &str = "@media screen and (prefers-color-scheme:dark)";

fn classes(color: impl Fn(Ink) -> String) -> String {
    let class = |&ink: &Ink| {
        let (name, color) = (ink.name(), color(ink));
        format!(".fill-{name}{{fill:{color}}}.stroke-{name}{{stroke:{color}}}\n")
    };
    Ink::ALL.iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_inks_share_a_colour() {
        for (i, a) in Ink::ALL.iter().enumerate() {
            for b in &Ink::ALL[i + 1..] {
                assert_ne!(a.light(), b.light(), "{a:?} and {b:?}: a plot's element could not tell them apart");
            }
        }
    }

    /// Relative luminance, as the Web Content Accessibility Guidelines define it.
    fn luminance((red, green, blue): Rgb) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { libm::pow((c + 0.055) / 1.055, 2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    #[test]
    fn words_in_any_ink_are_legible_on_both_pages() {
        for ink in Ink::ALL.into_iter().filter(|ink| ![Ink::Page, Ink::Grid].contains(ink)) {
            for (ink_color, page) in [(ink.light(), Ink::Page.light()), (ink.dark(), Ink::Page.dark())] {
                let (a, b) = (luminance(ink_color) + 0.05, luminance(page) + 0.05);
                let contrast = a.max(b) / a.min(b);
                assert!(contrast >= 4.5, "{ink:?} has a contrast of {contrast:.2}, the guidelines ask for 4.5");
            }
        }
    }

    #[test]
    fn an_element_gets_one_class() {
        let marked = mark_inks(r##"<circle fill="none" stroke="#2A6FB0"/><text fill="#1F2328">fill</text>"##);
        assert_eq!(
            marked,
            r##"<circle fill="none" class="stroke-model-1" stroke="#2A6FB0"/><text class="fill-text" fill="#1F2328">fill</text>"##
        );
    }
}
