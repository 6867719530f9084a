"""What every face adds to the distribution of the signed error: one bin of many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.metrics.pieces import Piece
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
WIDTH = 5.0
# Bins are centred on 0, so that whole years of error never lie on an edge and as many of them are
# called too old as too young.
EDGES = np.arange(-6.5, 7.5) * WIDTH
LOWER = (float(EDGES[0]) - WIDTH, *map(float, EDGES))
"""Where each bin begins, years; the first is open below and stands one width before its end."""
ERROR_BINS = len(LOWER)
ERROR_BIN = "error_bin"


def error_bin_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of the sums."""
    return {ERROR_BIN: (ERROR_BINS,)}


def error_bin_pieces(predictions: Predictions, weight: FloatArray) -> list[Piece]:
    """The weight of every face with an exact error, in the bin of e = estimate - truth.

    A bin holds its lower edge: [-2.5, 2.5) years is the middle one; the first is all below -32.5,
    the last all of 32.5 and above.
    """
    truth, estimate = predictions.truth, predictions.estimate
    assert truth is not None
    assert estimate is not None
    rows = np.flatnonzero(predictions.labelled & predictions.processed)
    at = np.searchsorted(EDGES, estimate.low[rows] - truth.low[rows], side="right")
    return [(rows, ERROR_BIN, at, weight[rows])]
