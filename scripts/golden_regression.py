#!/usr/bin/env python3
"""Prints the golden values of training/regression.rs: scikit-learn's solution of the problem in its test.

    python3 scripts/golden_regression.py
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

EXAMPLES, WIDTH, CLASSES = 12, 5, 3

x = np.array([[(7 * row * row + 11 * column * column + 3 * row * column) % 13 / 6 - 1 for column in range(WIDTH)] for row in range(EXAMPLES)])
y = np.array([(row * row + row // 3) % CLASSES for row in range(EXAMPLES)])
weights = np.array([1 + row % 2 for row in range(EXAMPLES)])
for penalty in (0.01, 0.3):
    # scikit-learn sums the weighted losses and multiplies them by C.
    model = LogisticRegression(C=1 / (penalty * weights.sum()), tol=1e-10, max_iter=10_000)
    model.fit(x, y, sample_weight=weights)
    # Adding a number to all biases changes nothing.
    bias = model.intercept_ - model.intercept_.mean()
    print(f"({penalty}, {np.round(model.coef_.T.ravel(), 6).tolist()}, {np.round(bias, 6).tolist()}),")
