"""The page on a data set: what it says, and what it lets through."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from audit.data_set.copies import Copies, Shared
from audit.data_set.prepare import DataOptions
from audit.data_set.reference import Reference
from audit.data_set.run import audit_data
from audit.result import AuditResult
from reports.data_set import SECTIONS
from tests.reports.records import NASTY
from tests.reports.test_page import read

FRAME = pd.DataFrame({
    "subject_id": [f"p{i // 2}" for i in range(80)],
    "gender": ["f" if i % 8 < 2 else "m" for i in range(80)],
    "age": [str(18 + i % 50) for i in range(80)],
    "expression": ["sad" if i % 8 < 4 else "happy" for i in range(80)],
})  # fmt: skip
REFERENCE = Reference(("gender",), {("f",): 0.5, ("m",): 0.5})
SHARED = [Shared("test", "train", 40, 4, 3), Shared("test", "train", 40, 2, 2, word="image")]


@lru_cache(maxsize=1)
def everything() -> AuditResult:
    """Everything that an audit of a data set can hold."""
    half = np.arange(80) < 10
    return audit_data(
        FRAME,
        DataOptions(n_boot=60),
        reference=REFERENCE,
        against=FRAME.assign(gender="f"),
        copies=Copies(read=~half, double=np.arange(80) >= 70, files=80, same_bytes=3, near=32),
        shared=SHARED,
    )


@pytest.fixture(scope="module")
def whole() -> AuditResult:
    return everything()


def test_every_section_is_there(whole: AuditResult) -> None:
    ids = [section.id for build in SECTIONS if (section := build(whole)) is not None]
    assert ids == ["scorecard", "warnings", "represented", "labels", "ages", "copies", "drift",
                   "methods", "provenance"]  # fmt: skip


def test_what_the_page_says(whole: AuditResult) -> None:
    text = read(whole).text[0]
    assert "Data set audit" in text
    assert "Beside the reference, f has 0.500 [" in text
    assert "10 % of the test faces have their person in train too." in text
    assert "25.0 % of the faces would have to be of other groups" in text
    assert "Evenness 0.811 (1: all 2 groups of one size): as diverse as 1.8 groups" in text
    cells = text.replace(" ", "")
    assert "faceswithanear-duplicate100.14370" in cells
    assert "filesthatareanotheronebyteforbyte30.03780" in cells  # 0.0375 in binary
    assert "testtrainpeople40.100403" in cells
    assert "testtrainimagefiles20.050402" in cells
    assert "Definition of each statistic over all groups" in text
    assert "Share in the other data set minus the share in this one" in text


def test_little_is_known() -> None:
    text = read(audit_data(pd.DataFrame({"gender": ["f"] * 3}))).text[0]
    assert "not named" in text
    assert "copies and damage are not known" in text
    assert "all faces whose gender is known are of one group" in text
    nothing = audit_data(pd.DataFrame({"gender": [None, None]}), DataOptions(by=["gender"]))
    assert "2 faces unknown" in read(nothing).text[0]
    assert "Data set audit" in read(audit_data(pd.DataFrame({"x": ["a"]}))).text[0]


def test_foreign_texts_stay_texts() -> None:
    names = [*NASTY, *NASTY]
    frame = pd.DataFrame({"who <b>x</b>": names, "expression": names[::-1]})
    options = DataOptions(by=["who <b>x</b>"], n_boot=20)
    page = read(audit_data(frame, options, against=frame))
    assert not [tag for tag, _ in page.tags if tag in ("b", "i")]
    links = [attrs.get("href") or "" for tag, attrs in page.tags if tag == "a"]
    assert all(link.startswith("#") for link in links)
