"""Smooth calibration error: ECE with a kernel in place of bins (Blasiok & Nakkiran 2309.12236)."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.fft import dct, idct
from scipy.optimize import brentq

from debate.analysis.intervals import Array, Codes, Linear

CELLS = 1000
NARROWEST = 1e-3


def smooth_ece(confidence: Array, correct: Array) -> Linear:
    """smECE at its own bandwidth, the sigma at which the error equals sigma.

    The kernel is the Gaussian reflected at 0 and 1: on a grid of 1,000 cells it is diagonal under
    the cosine transform, so that all reflections are exact. The influence follows the fixed point.
    """
    cells = np.minimum((confidence * CELLS).astype(np.int64), CELLS - 1)
    gaps = confidence - correct
    spectrum = _spectrum(gaps, cells)
    sigma = bandwidth(spectrum)
    value = _error(spectrum, sigma)
    step = 0.01 * sigma
    slope = (_error(spectrum, sigma + step) - _error(spectrum, sigma - step)) / (2 * step)
    field = _blurred(dct(np.sign(_blurred(spectrum, sigma)), norm="ortho"), sigma)
    influence = (field[cells] * gaps - value) / (len(gaps) * (1 - min(slope, 0.0)))
    return Linear(value, influence)


def _spectrum(gaps: Array, cells: Codes) -> Array:
    density = np.bincount(cells, weights=gaps, minlength=CELLS) / len(gaps)
    return np.asarray(dct(density, norm="ortho"), dtype=np.float64)


def _blurred(spectrum: Array, sigma: float) -> Array:
    frequencies = np.pi * np.arange(CELLS) * sigma
    return np.asarray(idct(spectrum * np.exp(-(frequencies**2) / 2), norm="ortho"))


def _error(spectrum: Array, sigma: float) -> float:
    return float(np.abs(_blurred(spectrum, sigma)).sum())


def bandwidth(spectrum: Array) -> float:
    """The sigma that equals the error smoothed by it, not below NARROWEST."""
    surplus = partial(_surplus, spectrum)
    if surplus(NARROWEST) <= 0:
        return NARROWEST
    return float(brentq(surplus, NARROWEST, 1.0 + NARROWEST, xtol=1e-6))


def _surplus(spectrum: Array, sigma: float) -> float:
    return _error(spectrum, sigma) - sigma
