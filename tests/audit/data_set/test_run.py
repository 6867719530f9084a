"""Copies, shared people, bad input and the record of a data set audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.data_set.copies import Copies, Shared
from audit.data_set.prepare import DataOptions
from audit.data_set.run import audit_data
from audit.errors import InputError
from audit.result import AuditResult
from tests.audit.data_set.looking import metric, people


def test_record_is_read_back(tmp_path: Path) -> None:
    frame = people({"f": 3, "m": 4}, photos=2).assign(age="20-29", expression="sad")
    result = audit_data(frame, against=frame)
    result.write(tmp_path / "audit.json")
    assert AuditResult.read(tmp_path / "audit.json") == result
    assert result.task == "data"
    assert result.spec.unit_of_resampling == "person"
    assert {row.metric for row in result.metrics} == {*result.spec.metrics}
    assert {row.metric for row in result.fairness} == {*result.spec.fairness}
    assert all(row.note for row in result.metrics if row.value is None)


def test_copies_by_group() -> None:
    frame = people({"f": 2, "m": 3})
    read, double = np.array([1, 1, 1, 1, 0], dtype=bool), np.array([1, 0, 1, 1, 1], dtype=bool)
    copies = Copies(read, double, files=5, same_bytes=1, near=32)
    result = audit_data(frame, copies=copies)
    assert metric(result, "near_duplicates").value == 3 / 4
    assert metric(result, "near_duplicates", gender="m").value == 1
    assert metric(result, "near_duplicates", gender="f").note == "descriptive"
    assert metric(result, "unread_images").value == 1 / 5
    assert metric(result, "same_bytes").value == 1 / 5
    said = {w.code: w.message for w in result.warnings}
    assert said["copies"] == (
        "faces with a near-duplicate (up to 32 of 256 bits apart, or mirrored): 3; files that are "
        "another one byte for byte: 1"
    )
    assert said["images_unread"] == "1 of 5 images are missing or cannot be read"


def test_no_image_can_be_read() -> None:
    frame, none = people({"f": 2}), np.zeros(2, dtype=bool)
    result = audit_data(frame, copies=Copies(none, none, files=0, same_bytes=0, near=32))
    row = metric(result, "near_duplicates")
    assert (row.value, row.note) == (None, "empty_group")
    warning = next(w for w in result.warnings if w.code == "images_unread")
    assert warning.severity == "serious"
    assert "is the folder right?" in warning.message


def test_people_across_splits() -> None:
    shared = [
        Shared("test", "train", 200, 3, 2),
        Shared("val", "train", 100, 0, 0),
        Shared("test", "train", 200, 1, 1, word="image"),
    ]
    result = audit_data(people({"f": 2}), shared=shared)
    found = [(r.metric, r.class_, r.group, r.value, r.n_subjects) for r in result.metrics]
    assert ("shared_people", "train", {"split": "test"}, 0.015, 2) in found
    assert ("shared_people", "train", {"split": "val"}, 0, 0) in found
    assert ("shared_images", "train", {"split": "test"}, 0.005, 1) in found
    said = [w.message for w in result.warnings if w.code == "splits_share"]
    assert said[0].startswith("3 of 200 test faces (1.5 %) share a person with train: ")
    assert said[1].startswith("1 of 200 test faces (0.5 %) share an image with train: ")
    assert len(said) == 2


def test_without_labels_people_and_ids() -> None:
    result = audit_data(pd.DataFrame({"gender": list("ffm")}))
    codes = [warning.code for warning in result.warnings]
    assert codes == [
        "no_subjects", "no_ids", "few_effective_subjects", "no_labels", "images_unread",
    ]  # fmt: skip
    assert not [row for row in result.fairness if "nmi" in row.metric]
    empty = audit_data(pd.DataFrame({"gender": list("ffm"), "expression": None}))
    assert "no_labels" in [warning.code for warning in empty.warnings]


def test_one_person_of_many_photos_is_told() -> None:
    frame = pd.concat([people({"f": 1}, photos=500), people({"m": 30})])
    said = [w for w in audit_data(frame).warnings if w.code == "few_effective_subjects"]
    assert said[0].severity == "serious"
    assert "31 people, m_eff 1.1" in said[0].message


def test_ages_as_two_columns() -> None:
    frame = pd.DataFrame({"age_low": ["0", "20", "70", ""], "age_high": ["3", "30", "", ""]})
    frame = frame.mask(frame == "")
    result = audit_data(frame)
    assert result.spec.attributes["age"].values == ["0-2", "20-29", "70+"]
    assert result.spec.attributes["age"].n_unknown == 1


def test_sources_are_stated() -> None:
    result = audit_data(people({"f": 2}), DataOptions(sources={"gender": "perceived"}))
    assert result.spec.attributes["gender"].source == "perceived"
    assert "perceived_attribute" in [w.code for w in result.warnings]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (DataOptions(by=["race"]), "--by race: no such column 'race'; the data set has gender"),
        (DataOptions(by=["gender,gender"]), "must name different attributes"),
        (DataOptions(by=["subject_id"]), "subject_id names faces and makes no groups"),
        (DataOptions(sources={"race": "perceived"}), "--label-source race: is not audited"),
        (DataOptions(sources={"gender": "guessed"}), "must be one of self_reported"),
    ],
)
def test_refused(options: DataOptions, message: str) -> None:
    with pytest.raises(InputError, match=message):
        audit_data(people({"f": 2}), options)


def test_refused_tables() -> None:
    with pytest.raises(InputError, match="no faces"):
        audit_data(pd.DataFrame({"gender": []}))
    with pytest.raises(InputError, match="row 2: age is 'old', must be an age"):
        audit_data(pd.DataFrame({"age": ["20", "old"]}))
    with pytest.raises(InputError, match="row 1: age is '150', must be between"):
        audit_data(pd.DataFrame({"age": ["150"]}))
    many = pd.DataFrame({"name": [str(i) for i in range(6000)]})
    with pytest.raises(InputError, match="different values"):
        audit_data(many, DataOptions(by=["name"]))
