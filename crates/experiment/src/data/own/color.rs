//! Colours: from a picture's ICC profile to sRGB. Many phones take photographs in Display P3, whose reds and greens are
//! stronger.

use image::RgbImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Converts a picture to sRGB. A damaged profile is ignored, as browsers do; so is one that is not for RGB, because
/// greys and CMYK have been converted before.
pub(super) fn to_srgb(profile: &[u8], picture: &mut RgbImage) {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return };
    if profile.color_space != DataColorSpace::Rgb {
        return;
    }
    // Integer arithmetic, which has the same bits on every machine, is the default.
    let options = TransformOptions::default();
    let transform = profile.create_transform_8bit(Layout::Rgb, &ColorProfile::new_srgb(), Layout::Rgb, options);
    let mut converted = vec![0; picture.len()];
    if transform.is_ok_and(|transform| transform.transform(picture, &mut converted).is_ok()) {
        picture.copy_from_slice(&converted);
    }
}
