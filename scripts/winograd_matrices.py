#!/usr/bin/env python3
"""Derives the matrices of Winograd's F(m x m, 3 x 3), verifies them in exact fractions, and prints them, with the table in
docs/winograd.md that compares tile sizes.

    scripts/winograd_matrices.py

A product of polynomials is determined by its values at m + 2 points, the last of them infinity; docs/winograd.md derives
A' [ (G g) . (B' d) ] from this.
"""

import random
from fractions import Fraction

TAPS = 3
HALF = Fraction(1, 2)
# m, the finite points, and their name in the table
METHODS = ((2, (0, 1, -1), "0, +-1"), (4, (0, 1, -1, 2, -2), "0, +-1, +-2"), (6, (0, 1, -1, 2, -2, HALF, -HALF), "0, +-1, +-2, +-1/2"))


def matrices(m, points):
    """G, B' and A': a point is a row of the first two and a column of the third."""
    size = m + TAPS - 1
    assert len(points) == size - 1
    g, b = [], []
    for point in points:
        others = [other for other in points if other != point]
        numerator = vanishing_at(others)
        b.append(numerator + [Fraction(0)] * (size - len(numerator)))
        denominator = value(numerator, point)
        g.append([Fraction(point) ** power / denominator for power in range(TAPS)])
    b.append(vanishing_at(points))
    g.append([Fraction(0)] * (TAPS - 1) + [Fraction(1)])
    a = [[Fraction(point) ** power for point in points] + [Fraction(int(power == m - 1))] for power in range(m)]
    return g, b, a


def vanishing_at(points):
    """Coefficients of the product of all (x - point), the constant first."""
    coefficients = [Fraction(1)]
    for point in points:
        shifted, scaled = [Fraction(0)] + coefficients, [-point * c for c in coefficients] + [Fraction(0)]
        coefficients = [x + y for x, y in zip(shifted, scaled)]
    return coefficients


def value(coefficients, point):
    return sum(c * Fraction(point) ** power for power, c in enumerate(coefficients))


def times(matrix, vector):
    return [sum(element * x for element, x in zip(row, vector)) for row in matrix]


def verify(g, b, a):
    """Compares with the definition on random integers, without rounding."""
    m = len(a)
    for _ in range(100):
        kernel, inputs = ([random.randint(-9, 9) for _ in range(n)] for n in (TAPS, m + TAPS - 1))
        outputs = times(a, [u * v for u, v in zip(times(g, kernel), times(b, inputs))])
        assert outputs == [sum(kernel[j] * inputs[i + j] for j in range(TAPS)) for i in range(m)]


def errors(g, b, a):
    """The error of the worst output relative to the direct method, if every transformed number is rounded: for independent
    errors, and for errors that all point the same way. In two dimensions both are squares of those in one."""
    def worst(size_of_row, power, of_definition):
        sizes = [size_of_row(k) * size_of_row(d) for k, d in zip(g, b)]
        return max(float(sum(abs(x) ** power * size for x, size in zip(row, sizes)) / of_definition) for row in a)

    independent = worst(lambda row: sum(x * x for x in row), 2, TAPS)
    at_worst = worst(lambda row: sum(abs(x) for x in row), 1, TAPS) ** 2
    return independent, at_worst


def main():
    table = ["| | times fewer multiplications | on 28 x 28 outputs | error relative to the direct method |",
             "|---|---|---|---|"]
    for m, points, name in METHODS:
        found = matrices(m, points)
        verify(*found)
        print(f"F({m} x {m}, 3 x 3), points {', '.join(map(str, points))}, infinity: verified\n")
        for label, matrix in zip(("G", "B'", "A'"), found):
            width = max(len(str(x)) for row in matrix for x in row)
            for index, row in enumerate(matrix):
                shown = f"{label} =" if index == len(matrix) // 2 else ""
                print(f"    {shown:<5}| {' '.join(f'{str(x):>{width}}' for x in row)} |")
            print()
        direct, saved = (m * TAPS) ** 2, (m + TAPS - 1) ** 2
        tiles = -(-28 // m)
        on_28 = 28**2 * TAPS**2 / (tiles**2 * saved)
        independent, at_worst = errors(*found)
        table.append(f"| F({m}x{m}, 3x3), points {name}, infinity | {direct} / {saved} = {direct / saved:.3g} | {on_28:.3g} "
                     f"| {independent:.2g} (at worst {at_worst:.0f}) |")
    print("\n".join(table))


if __name__ == "__main__":
    main()
