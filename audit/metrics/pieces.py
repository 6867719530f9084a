"""Sparse features: pieces of rows, columns and values, put together into one matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from audit.metrics.core import Array, Layout
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Piece = tuple[IntArray, str, Array | int, FloatArray]
"""Rows, feature, place within the feature, values."""


def from_pieces(pieces: Sequence[Piece], layout: Layout, n: int) -> csr_array:
    """Pieces of features as one sparse matrix (n, F)."""
    rows = np.concatenate([piece[0] for piece in pieces])
    columns = np.concatenate(
        [np.broadcast_to(layout.columns(name)[0] + at, len(r)) for r, name, at, _ in pieces]
    )
    data = np.concatenate([piece[3] for piece in pieces])
    return coo_array((data, (rows, columns)), shape=(n, layout.size)).tocsr()


def counts_pieces(predictions: Predictions, weight: FloatArray) -> list[Piece]:
    """The counts that every table of sums begins with."""
    labelled, processed = predictions.labelled, predictions.processed
    used, failed = np.flatnonzero(labelled & processed), np.flatnonzero(labelled & ~processed)
    blank = np.flatnonzero(~labelled)
    return [
        (used, "n", 0, (weight[used] > 0).astype(np.float64)),
        (used, "w", 0, weight[used]),
        (failed, "failed_n", 0, (weight[failed] > 0).astype(np.float64)),
        (failed, "failed_w", 0, weight[failed]),
        (blank, "unlabelled_n", 0, np.ones(len(blank))),
    ]
