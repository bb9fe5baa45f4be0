//! The target classes: boat, flower, key, mushroom, umbrella. They consist of the same elements as the source classes:
//! edges, corners, arcs, rays, bars and patterned areas.

use crate::chance::Chance;
use crate::pen::Pen;
use crate::shapes::{
    Point, above, at, below, both, convex, disc, ellipse, petal, rectangle, rim, stroke, toward, without,
};

/// A sailing boat: a hull, a mast, one or two sails, perhaps a flag and portholes.
pub fn boat(pen: &mut Pen, chance: &mut Chance) {
    let deck = chance.within(0.3, 0.45);
    let keel = deck + chance.within(0.3, 0.42);
    let top = chance.within(-1.0, -0.8);
    let boom = deck - 0.1;

    let width = pen.pixel();
    pen.mark(stroke(at(0.0, deck), at(0.0, top), width));
    let sheet = at(chance.within(0.5, 0.75), boom);
    pen.part(convex([at(0.07, top + 0.1), sheet, at(0.07, boom)]));
    if chance.happens(0.7) {
        let head = at(-0.08, top + chance.within(0.2, 0.5));
        let tack = at(-chance.within(0.4, 0.6), boom);
        pen.part(convex([head, at(-0.08, boom), tack]));
    }
    if chance.happens(0.5) {
        pen.detail(convex([at(0.0, top - 0.05), at(0.26, top + 0.05), at(0.0, top + 0.16)]));
    }

    let bow = chance.within(0.75, 0.95);
    let floor = chance.within(0.45, 0.65);
    pen.body(convex([at(-bow, deck), at(bow, deck), at(floor, keel), at(-floor, keel)]));
    if chance.happens(0.4) {
        for x in [-0.35, 0.0, 0.35] {
            pen.detail(disc(at(x, (deck + keel) / 2.0), 0.08));
        }
    }
}

/// A flower: petals around an eye, on a stem with leaves.
pub fn flower(pen: &mut Pen, chance: &mut Chance) {
    let head = at(chance.either_side(0.12), -0.35);
    let foot = at(chance.either_side(0.15), 1.0);
    let width = 1.4 * pen.pixel();
    pen.part(stroke(head, foot, width));
    let height = chance.within(0.45, 0.65);
    for side in [-1.0, 1.0] {
        if chance.happens(0.75) {
            pen.part(petal(at(0.26 * side, height), toward(-0.09 * side), at(0.24, 0.11)));
        }
    }

    let eye = chance.within(0.16, 0.24);
    let half = at(chance.within(0.26, 0.32), chance.within(0.14, 0.2));
    let petals = chance.count(5, 7);
    let first = chance.within(0.0, 1.0);
    for i in 0..petals {
        let out = toward(first + i as f32 / petals as f32);
        pen.body(petal(head + out * (eye + 0.6 * half.x), out, half));
    }
    pen.detail(disc(head, eye));
}

/// A key, horizontal or vertical: a bow to hold it by, a shaft, and teeth.
pub fn key(pen: &mut Pen, chance: &mut Chance) {
    // Drawn from the bow (at the left) to the tip; a vertical key swaps the axes.
    let vertical = chance.happens(0.5);
    let along = |x: f32, y: f32| if vertical { at(y, x) } else { at(x, y) };
    let tip = chance.within(0.85, 1.0);
    let thick = chance.within(0.09, 0.12);

    let teeth = chance.count(2, 3);
    let longest = chance.within(0.2, 0.32);
    for (tooth, share) in [1.0, 0.7, 1.0].into_iter().take(teeth).enumerate() {
        let half = share * longest / 2.0;
        let x = tip - 0.1 - 0.26 * tooth as f32;
        pen.body(rectangle(along(x, thick + half), along(0.085, half + 0.05)));
    }
    pen.body(rectangle(along((tip - 0.3) / 2.0, 0.0), along((tip + 0.3) / 2.0, thick)));

    let centre = along(-0.55, 0.0);
    let radius = chance.within(0.3, 0.4);
    let hole = disc(centre, radius * chance.within(0.4, 0.55));
    if chance.happens(0.65) {
        pen.body(without(disc(centre, radius), hole));
    } else {
        pen.body(without(rectangle(centre, along(0.85 * radius, 0.95 * radius)), hole));
    }
}

/// A mushroom: a spotted cap over a stout stem, perhaps with a little one beside it.
pub fn mushroom(pen: &mut Pen, chance: &mut Chance) {
    if chance.happens(0.3) {
        let beside = at(0.7 * chance.sign(), 0.62);
        toadstool(pen, chance, beside, 0.42);
    }
    toadstool(pen, chance, at(0.0, 0.0), 1.0);
}

fn toadstool(pen: &mut Pen, chance: &mut Chance, place: Point, size: f32) {
    let half = at(chance.within(0.65, 0.9), chance.within(0.6, 0.95)) * size;
    let brim = place + at(0.0, chance.within(0.0, 0.15)) * size;
    let foot = place + at(0.0, 0.9) * size;

    let stem = at(chance.within(0.17, 0.28), 0.0) * size;
    pen.part(convex([brim - stem * 0.8, brim + stem * 0.8, foot + stem * 1.2, foot - stem * 1.2]));
    let cap = both(ellipse(brim, half), above(brim.y));
    pen.body(cap);
    if chance.happens(0.7) {
        for (x, y) in [(-0.45, -0.3), (0.05, -0.62), (0.42, -0.25)] {
            let spot = disc(brim + at(x * half.x, y * half.y), chance.within(0.09, 0.15) * size);
            pen.detail(both(spot, cap));
        }
    }
}

/// An open umbrella: a scalloped canopy with its ribs, and a hooked handle.
pub fn umbrella(pen: &mut Pen, chance: &mut Chance) {
    let pixel = pen.pixel();
    let half = at(chance.within(0.8, 0.98), chance.within(0.6, 0.85));
    let brim = chance.within(-0.1, 0.1);

    let foot = chance.within(0.7, 0.85);
    pen.mark(stroke(at(0.0, brim - half.y - 0.12), at(0.0, foot), 1.1 * pixel));
    let hook = chance.within(0.13, 0.2);
    pen.mark(both(rim(disc(at(hook, foot), hook), 1.1 * pixel), below(foot)));

    let dome = both(ellipse(at(0.0, brim), half), above(brim));
    let scallops = chance.count(3, 4) as f32;
    let span = 2.0 * half.x / scallops;
    pen.body(move |p| {
        let nearest = ((p.x + half.x) / span).floor().clamp(0.0, scallops - 1.0);
        let middle = at((nearest + 0.5) * span - half.x, brim);
        without(dome, ellipse(middle, at(0.5 * span, 0.28 * span)))(p)
    });
    let ribs = rim(ellipse(at(0.0, brim), at(0.4 * half.x, half.y)), 0.7 * pixel);
    pen.mark(both(ribs, above(brim - 0.1)));
}
