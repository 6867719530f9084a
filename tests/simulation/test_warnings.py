"""Very unequal numbers of photos are warned of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import audit
from audit.simulate import person_errors, zipf_photos


def zipf_table(m: int, rng: np.random.Generator) -> pd.DataFrame:
    error, person = person_errors(m, zipf_photos(m, rng), rng)
    return pd.DataFrame({"subject_id": person, "age": 40.0, "age_pred": 40.0 + error})


@pytest.mark.slow
@pytest.mark.parametrize("m", [50, 200, 1000])
def test_zipf_photos_raise_few_effective_subjects(m):
    rng, runs = np.random.default_rng(7), 200
    raised = 0
    for _ in range(runs):
        result = audit(zipf_table(m, rng), task="age", by=[], n_boot=0)
        raised += any(w.code == "few_effective_subjects" for w in result.warnings)
    print(f"zipf {m} persons: warned in {raised} of {runs}")
    assert raised >= 0.95 * runs


def test_equal_photos_raise_no_such_warning():
    rng = np.random.default_rng(8)
    error, person = person_errors(50, np.full(50, 5), rng)
    frame = pd.DataFrame({"subject_id": person, "age": 40.0, "age_pred": 40.0 + error})
    result = audit(frame, task="age", by=[], n_boot=0)
    assert not any(w.code == "few_effective_subjects" for w in result.warnings)
