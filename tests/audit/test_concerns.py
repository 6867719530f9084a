"""What a reader is warned of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit
from audit.simulate import person_errors, zipf_photos
from tests.audit.frames import metric


def codes(result: AuditResult) -> list[str]:
    return [w.code for w in result.warnings]


@pytest.mark.parametrize("seed", range(5))
def test_zipf_photos_warn_of_few_effective_persons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    error, person = person_errors(200, zipf_photos(200, rng), rng)
    table = pd.DataFrame({"age": 40.0, "age_pred": 40 + error, "subject_id": person})
    result = audit(table, task="age", by=[], n_boot=0)
    assert "few_effective_subjects" in codes(result)
    even = pd.DataFrame({"age": 40.0, "age_pred": 40 + error[:200], "subject_id": range(200)})
    assert "few_effective_subjects" not in codes(audit(even, task="age", by=[], n_boot=0))


def test_warnings_about_ids() -> None:
    frame = pd.DataFrame({"age": [20, 30, 40], "age_pred": [21, 29, 44], "gender": list("fmf")})
    assert "no_ids" in codes(audit(frame, task="age", n_boot=0))
    with_ids = frame.assign(sample_id=list("abc"))
    found = codes(audit(with_ids, task="age", n_boot=0))
    assert "no_subjects" in found
    assert "no_ids" not in found
    some = with_ids.assign(subject_id=["p", None, "p"])
    result = audit(some, task="age", n_boot=0)
    assert {"n_without_subject"} <= set(codes(result))
    assert not {"no_ids", "no_subjects"} & set(codes(result))
    assert metric(result, "mae").n_subjects == 2
    turned = with_ids.assign(subject_id=["p", "p", "q"])
    assert "subject_inconsistent" in codes(audit(turned, task="age", by=["gender"], n_boot=0))
