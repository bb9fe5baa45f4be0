#!/usr/bin/env python3
"""Golden values of the experiment's statistics, from SciPy and statsmodels.

Writes tests/golden/statistics.json for the tests of the statistics (needs numpy, scipy and statsmodels). Run it again
only when you add a statistic: the values do not change.

    python3 scripts/golden_statistics.py
"""

import json
import pathlib

import numpy
import scipy
import statsmodels
from scipy import stats
from statsmodels.formula import api as formula
from statsmodels.stats import anova, contingency_tables, multitest, power, weightstats

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/statistics.json"


def interval(values):
    """Mean, standard deviation and 95 % t-interval."""
    low, high = stats.t.interval(0.95, len(values) - 1, loc=numpy.mean(values), scale=stats.sem(values))
    return {"values": values, "mean": numpy.mean(values), "deviation": numpy.std(values, ddof=1), "low": low, "high": high}


def sign_flip(differences):
    """The exact two-sided p-value of the mean under all choices of signs."""
    test = stats.permutation_test(
        (numpy.array(differences),), lambda x, axis: abs(numpy.mean(x, axis=axis)), permutation_type="samples",
        alternative="greater", n_resamples=numpy.inf, vectorized=True)
    return {"differences": differences, "p": test.pvalue}


def calibration(outcomes):
    """The expected calibration error over 15 bins, from SciPy's binned means."""
    confidence, right = (numpy.array(column, dtype=float) for column in zip(*outcomes))
    edges = numpy.linspace(0, 1, 16)
    # SciPy's bins include their lower edge, ours the upper one: mirrored, they are equal.
    accuracy, *_ = stats.binned_statistic(1 - confidence, right, "mean", edges)
    mean, *_ = stats.binned_statistic(1 - confidence, confidence, "mean", edges)
    count, *_ = stats.binned_statistic(1 - confidence, right, "count", edges)
    error = sum(n * abs(a - c) for n, a, c in zip(count, accuracy, mean) if n) / len(outcomes)
    return {"outcomes": outcomes, "error": error}


def difference(one, other, paired):
    """The t-test, interval and one-point equivalence test of a difference of means; paired, or Welch's."""
    one, other = numpy.array(one), numpy.array(other)
    if paired:
        test = stats.ttest_rel(one, other)
        equivalence = weightstats.ttost_paired(one, other, -0.01, 0.01)[0]
    else:
        test = stats.ttest_ind(one, other, equal_var=False)
        equivalence = weightstats.ttost_ind(one, other, -0.01, 0.01, usevar="unequal")[0]
    low, high = test.confidence_interval()
    return {"one": one.tolist(), "other": other.tolist(), "paired": paired, "mean": one.mean() - other.mean(), "low": low,
            "high": high, "p": test.pvalue, "equivalence": equivalence}


def components(table):
    """Mean squares of a table of seeds (rows) and pictures (columns) without repetition: both factors are random."""
    table = numpy.array(table, dtype=float)
    seeds, pictures = numpy.indices(table.shape)
    data = {"d": table.ravel(), "seed": seeds.ravel(), "picture": pictures.ravel()}
    squares = anova.anova_lm(formula.ols("d ~ C(seed) + C(picture)", data).fit())["sum_sq"] / [
        table.shape[0] - 1, table.shape[1] - 1, (table.shape[0] - 1) * (table.shape[1] - 1)]
    return {"table": table.astype(int).tolist(), "seed": squares.iloc[0], "picture": squares.iloc[1], "residual": squares.iloc[2]}


def regression(x, y):
    line = stats.linregress(x, y)
    return {"x": x, "y": y, "slope": line.slope, "intercept": line.intercept, "r": line.rvalue, "error": line.stderr, "p": line.pvalue}


def main():
    draw = numpy.random.default_rng(2026)
    accuracies = lambda n: [round(float(x), 4) for x in draw.normal(0.84, 0.005, n)]
    differences = lambda n, shift: [round(float(x), 4) for x in draw.normal(shift, 0.004, n)]
    confidences = [round(float(x), 3) for x in draw.uniform(0.2, 1.0, 60)]
    golden = {
        "scipy": scipy.__version__,
        "t_quantiles": [{"freedom": n, "quantile": stats.t.ppf(0.975, n)} for n in (1, 2, 3, 4, 5, 7, 9, 19, 29, 99)],
        "intervals": [interval(accuracies(n)) for n in (2, 3, 6, 10)] + [interval([0.5, 0.5, 0.5, 0.6])],
        "sign_flips": [sign_flip(differences(n, shift)) for n, shift in ((2, 0), (5, 0.01), (6, 0.01), (6, 0.001), (9, 0.002), (12, 0.003))]
        + [sign_flip([0.01, -0.01, 0.02, 0.02, 0.0, 0.03]), sign_flip([0.1, 0.1, 0.1, 0.1, 0.1, -0.1])],
        "calibrations": [
            calibration([[c, bool(draw.random() < c)] for c in confidences]),
            calibration([[c, bool(draw.random() < c - 0.2)] for c in confidences[:20]]),
        ],
    }
    golden |= {
        "statsmodels": statsmodels.__version__,
        "differences": [difference(accuracies(n), accuracies(m), n == m) for n, m in ((6, 6), (10, 10), (10, 20), (3, 6))]
        + [difference([0.84, 0.85, 0.86, 0.85, 0.84, 0.85], [0.80, 0.81, 0.83, 0.82, 0.81, 0.80], True)],
        "detectable": [{"pairs": n, "difference": power.TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8) }
                       for n in (6, 10, 20, 40)],
        "holm": [{"p": p, "adjusted": multitest.multipletests(p, method="holm")[1].tolist()}
                 for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.9, 0.6], [0.03], [0.02, 0.02, 0.02])],
        "mcnemar": [{"one": b, "other": c, "p": contingency_tables.mcnemar([[100, b], [c, 10]], exact=True).pvalue}
                    for b, c in ((3, 11), (40, 60), (150, 151), (0, 1))],
        "components": [components(draw.integers(-1, 2, (s, p))) for s, p in ((3, 8), (4, 12))],
        "regressions": [regression([0.2, 0.44, 0.52, 0.44, 0.2], differences(5, 0.01)), regression(list(range(8)), accuracies(8))],
    }
    rows = lambda value: ",\n".join("  " + json.dumps(row, default=float) for row in value)
    fields = (f'"{name}": ' + (f"[\n{rows(value)}\n ]" if isinstance(value, list) else json.dumps(value))
              for name, value in golden.items())
    OUT.write_text("{\n " + ",\n ".join(fields) + "\n}\n")
    print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
