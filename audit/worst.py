"""The single faces with the largest errors, for who may look at them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.hashing import row_keys, text_keys, uniforms
from audit.metrics.age_features import age_features, age_layout, is_exact, truth_bands
from audit.predictions import Predictions


def worst_rows(predictions: Predictions, n: int) -> npt.NDArray[np.int64]:
    """Rows of at most n faces with the largest errors, the largest first.

    Ages: the absolute error, or the distance of the estimate from the known band. Expressions:
    wrong ones by the confidence of the wrong answer. Faces without an error are left out; among
    equal ones a hash of ``sample_id`` decides, so that the order of rows does not.
    """
    badness = _badness(predictions)
    ids = predictions.sample_id
    keys = row_keys(0, len(badness)) if ids is None else text_keys(ids.tolist(), "worst")
    order = np.lexsort((uniforms(keys, 0, 0), -badness))
    return order[badness[order] > 0][:n].astype(np.int64)


def _badness(predictions: Predictions) -> npt.NDArray[np.float64]:
    if predictions.task == "age":
        ones = np.ones(len(predictions))
        name = "abs_error" if is_exact(predictions) else "distance"
        bands = () if is_exact(predictions) else truth_bands(predictions, ())
        features = age_features(predictions, bands, ones)
        found: npt.NDArray[np.float64] = features[:, age_layout().columns(name)[0]]
        return found
    assert predictions.y_true is not None
    assert predictions.y_pred is not None
    wrong = (
        predictions.labelled & predictions.processed & (predictions.y_true != predictions.y_pred)
    )
    scores = predictions.probabilities
    sure = np.ones(len(predictions)) if scores is None else scores.proba.max(axis=1)
    return np.where(wrong, sure, 0.0)
