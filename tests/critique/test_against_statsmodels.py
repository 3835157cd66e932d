"""The familiarity regression against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS  # type: ignore[import-untyped]

from debate.analysis.overtrust import fit_least_squares


def test_coefficients_and_clustered_errors_are_those_of_statsmodels() -> None:
    rng = np.random.default_rng(4)
    clusters = rng.integers(0, 60, 400)
    x = rng.normal(size=(400, 2)) + rng.normal(size=(60, 2))[clusters]
    y = x @ np.array([0.5, -1.0]) + rng.normal(size=60)[clusters] + rng.normal(size=400)
    ours = fit_least_squares(x, y, clusters)
    theirs = OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    ours_have_no = np.sqrt((400 - 1) / (400 - 2))
    for found, value, error in zip(ours, theirs.params, theirs.bse, strict=True):
        assert found.value == pytest.approx(value)
        assert found.se == pytest.approx(error / ours_have_no)
        assert found.num_questions == 60
