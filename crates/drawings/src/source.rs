//! The source classes: fish, house, kite, sun, tree.
//!
//! Each drawing fills about -1..1 in both directions, with y down, in the pen's paints, which do not depend on the
//! class.

use crate::chance::Chance;
use crate::pen::Pen;
use crate::shapes::{at, below, both, convex, disc, either, left_of, rectangle, rim, stroke, toward};

/// A fish that swims to the left, with a tail, a fin, a gill and an eye.
pub fn fish(pen: &mut Pen, chance: &mut Chance) {
    let pixel = pen.pixel();
    let girth = chance.within(0.36, 0.52);

    let fork = chance.within(0.75, 0.95);
    let spread = chance.within(0.36, 0.52);
    let upper = convex([at(0.32, 0.0), at(1.0, -spread), at(fork, 0.06)]);
    let lower = convex([at(0.32, 0.0), at(fork, -0.06), at(1.0, spread)]);
    pen.part(either(upper, lower));

    let tip = at(chance.within(0.0, 0.3), -girth - 0.28);
    pen.part(convex([at(-0.35, -0.2), tip, at(0.25, -0.15)]));

    // The overlap of two large discs is a lens 1.5 long and twice the girth high.
    let radius = (0.75 * 0.75 + girth * girth) / (2.0 * girth);
    let lens = both(disc(at(-0.2, radius - girth), radius), disc(at(-0.2, girth - radius), radius));
    pen.body(lens);

    let gill = rim(disc(at(-1.0, 0.0), 0.62), pixel);
    pen.mark(both(gill, move |p| lens(p) + 0.1));
    pen.mark(disc(at(-0.65, -0.1), pixel.max(0.09)));
}

/// A gabled house with a door, two windows and perhaps a chimney.
pub fn house(pen: &mut Pen, chance: &mut Chance) {
    let half = chance.within(0.5, 0.7);
    let eaves = chance.within(-0.3, 0.0);
    let ridge = eaves - chance.within(0.5, 0.75);
    let floor = 0.85;

    if chance.happens(0.6) {
        let x = half * chance.within(0.35, 0.65);
        pen.part(rectangle(at(x, (ridge + eaves) / 2.0 - 0.05), at(0.12, 0.35)));
    }
    pen.body(rectangle(at(0.0, (eaves + floor) / 2.0), at(half, (floor - eaves) / 2.0)));

    let overhang = half + chance.within(0.05, 0.25);
    let flat = chance.pick(&[0.02, 0.02, 0.3]);
    pen.part(convex([at(-flat, ridge), at(flat, ridge), at(overhang, eaves), at(-overhang, eaves)]));

    // The door is at one of three places, the windows at the others.
    let door = chance.below(3);
    for (place, x) in [-0.6 * half, 0.0, 0.6 * half].into_iter().enumerate() {
        if place == door {
            pen.detail(rectangle(at(x, floor - 0.26), at(0.15, 0.27)));
        } else {
            pen.mark(rectangle(at(x, eaves + 0.3), at(0.12, 0.13)));
        }
    }
}

/// A kite: a diamond with crossed spars, and a tail with bows.
pub fn kite(pen: &mut Pen, chance: &mut Chance) {
    let pixel = pen.pixel();
    let cross = chance.within(-0.55, -0.4);
    let width = chance.within(0.45, 0.62);
    let (top, bottom) = (at(0.0, -1.0), at(0.0, 0.35));
    let (left, right) = (at(-width, cross), at(width, cross));

    let swing = chance.sign() * chance.within(0.15, 0.3);
    let tail = [bottom, at(swing, 0.6), at(-swing, 0.85), at(0.6 * swing, 1.1)];
    for pair in tail.windows(2) {
        pen.mark(stroke(pair[0], pair[1], pixel));
    }
    for &knot in &tail[1..] {
        let before = convex([knot, knot + at(-0.14, 0.07), knot + at(-0.14, -0.07)]);
        let after = convex([knot, knot + at(0.14, -0.07), knot + at(0.14, 0.07)]);
        pen.detail(either(before, after));
    }

    let sail = convex([top, right, bottom, left]);
    pen.body(sail);
    match chance.below(3) {
        0 => pen.part(both(sail, left_of(0.0))),
        1 => pen.part(both(sail, below(cross))),
        _ => {} // of one piece
    }
    pen.mark(stroke(top, bottom, 0.8 * pixel));
    pen.mark(stroke(left, right, 0.8 * pixel));
}

/// A sun: a disc ringed with rays, with or without a smile.
pub fn sun(pen: &mut Pen, chance: &mut Chance) {
    let pixel = pen.pixel();
    let radius = chance.within(0.42, 0.55);
    let foot = radius + chance.within(0.08, 0.18);

    let rays = chance.count(8, 12);
    let first = chance.within(0.0, 1.0);
    let pointed = chance.happens(0.5);
    for ray in 0..rays {
        let out = toward(first + ray as f32 / rays as f32);
        let tip = out * chance.within(0.85, 1.0);
        if pointed {
            let side = at(-out.y, out.x) * 0.16;
            pen.part(convex([tip, out * foot + side, out * foot - side]));
        } else {
            pen.part(stroke(out * foot, tip, 1.3 * pixel));
        }
    }

    pen.body(disc(at(0.0, 0.0), radius));
    if chance.happens(0.5) {
        pen.mark(disc(at(-0.4 * radius, -0.2 * radius), 0.6 * pixel));
        pen.mark(disc(at(0.4 * radius, -0.2 * radius), 0.6 * pixel));
        pen.mark(both(rim(disc(at(0.0, 0.0), 0.55 * radius), 0.9 * pixel), below(0.2 * radius)));
    }
}

/// A tree: a fir, or a leafy crown on a trunk, perhaps with fruit.
pub fn tree(pen: &mut Pen, chance: &mut Chance) {
    let trunk = chance.within(0.10, 0.16);
    pen.part(convex([at(-trunk, 0.0), at(trunk, 0.0), at(1.4 * trunk, 1.0), at(-1.4 * trunk, 1.0)]));

    if chance.happens(0.35) {
        let width = chance.within(0.5, 0.65);
        for (foot, share) in [(0.5, 1.0), (0.08, 0.78), (-0.34, 0.56)] {
            pen.body(convex([at(0.0, foot - 0.65), at(share * width, foot), at(-share * width, foot)]));
        }
        return;
    }

    // The crown: a disc with a ring of discs around it.
    let (middle, reach) = (at(0.0, -0.35), at(chance.within(0.36, 0.5), chance.within(0.28, 0.4)));
    let puffs = chance.count(5, 7);
    let first = chance.within(0.0, 1.0);
    let puff: [_; 7] = std::array::from_fn(|i| {
        let out = toward(first + i as f32 / puffs as f32);
        disc(middle + at(out.x * reach.x, out.y * reach.y), chance.within(0.24, 0.34))
    });
    let heart = disc(middle, reach.y);
    pen.body(move |p| puff[..puffs].iter().fold(heart(p), |nearest, puff| nearest.min(puff(p))));
    if chance.happens(0.4) {
        for _ in 0..4 {
            let fruit = at(chance.either_side(0.4), chance.within(-0.7, 0.0));
            pen.detail(disc(fruit, 0.1));
        }
    }
}
