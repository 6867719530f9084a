from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hae.data.checks.counts import ages_of
from hae.data.checks.images import disagreements, scan, stray_files
from hae.data.checks.record import DataCheck, Finding
from hae.data.checks.run import check_data
from hae.data.core import Manifest
from hae.data.readers import read_data
from tests.hae.data.drawn import copied, drawn_faces, written

NONE: Mapping[str, Mapping[str, int]] = {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 people, 2 photos each, in a folder of their own."""
    drawn_faces(tmp_path / "faces", people=20, photos=2)
    return tmp_path / "faces"


def manifest_of(folder: Path) -> Manifest:
    return read_data(f"manifest:{folder / 'faces.csv'}")


def checked(
    manifest: Manifest, published: Mapping[str, Mapping[str, int]] = NONE, *, images: bool = True
) -> DataCheck:
    found = scan(manifest) if images else None
    return check_data(manifest, published, found, stray_files(manifest, whole=True))


def found_in(check: DataCheck) -> dict[str, Finding]:
    return {finding.code: finding for finding in check.findings}


def changed(folder: Path, column: str, values: Mapping[int, str | None]) -> Manifest:
    """The manifest after some cells of its table were overwritten."""
    frame = pd.read_csv(folder / "faces.csv", dtype=object)
    if column not in frame.columns:
        frame[column] = None
    for row, value in values.items():
        frame.loc[row, column] = value
    written(folder, frame)
    return manifest_of(folder)


def test_nothing_is_wrong(folder: Path) -> None:
    check = checked(manifest_of(folder))
    assert check.findings == []
    assert (check.faces, check.usable, check.people, check.nameless) == (40, 40, 20, 0)
    assert check.images is not None
    assert (check.images.read, check.images.pairs, check.images.same_bytes) == (40, 0, 0)
    assert check.images.unreadable == check.failed == check.missing == {}
    counts = {count.group: count.found for count in check.counts}
    frame = manifest_of(folder).frame
    assert (counts["usable"], counts["people"]) == (40, 20)
    assert counts["race=A"] == (frame["race"] == "A").sum()
    assert counts["age=30-39"] == frame["age"].astype(int).between(30, 39).sum()
    assert sum(n for group, n in counts.items() if group.startswith("age=")) == 40
    assert (check.youngest, check.oldest) == (
        frame["age"].astype(int).min(),
        frame["age"].astype(int).max(),
    )


def test_counts_beside_the_published_ones(folder: Path) -> None:
    published = {"": {"usable": 40, "people": 21, "race=A": 3, "race=Z": 2, "age=5": 0}}
    check = checked(manifest_of(folder), published, images=False)
    by_group = {count.group: (count.found, count.published) for count in check.counts}
    a = int((manifest_of(folder).frame["race"] == "A").sum())
    assert by_group["usable"] == (40, 40)
    assert by_group["people"] == (20, 21)
    assert by_group["race=A"] == (a, 3)
    assert by_group["race=Z"] == (0, 2)
    assert by_group["race=B"] == (40 - a, None)
    assert found_in(check)["counts_differ"].n == 3


def test_counts_of_each_split(folder: Path) -> None:
    values = {row: "train" if row < 30 else "test" for row in range(40)}
    check = checked(changed(folder, "split", values), {"test": {"usable": 9}}, images=False)
    sizes = [(c.part, c.found, c.published) for c in check.counts if c.group == "usable"]
    assert sizes == [("", 40, None), ("test", 10, 9), ("train", 30, None)]
    assert [str(leak) for leak in check.leaks] == ["0 of 10 test faces share a person with train"]


def test_labels_out_of_range_and_missing(folder: Path) -> None:
    manifest = changed(folder, "age", {0: "131", 1: "-1", 2: "old", 3: None, 4: "20-29"})
    found = found_in(checked(manifest, images=False))
    assert found["age_range"].n == 2
    assert found["age_range"].severity == "serious"
    assert "'131' of f000" in found["age_range"].message
    assert (found["no_age"].n, found["age_missing"].n) == (1, 1)
    assert "'old' of f002" in found["no_age"].message
    assert checked(manifest, images=False).missing == {"age": 1}


def test_failed_labels_by_reason(folder: Path) -> None:
    manifest = changed(folder, "label_error", {0: "no race", 1: "no race", 2: "no age"})
    check = checked(manifest)
    assert check.failed == {"no race": 2, "no age": 1}
    assert (check.faces, check.usable) == (40, 37)
    assert found_in(check)["label_failed"].n == 3
    assert check.images is not None
    assert (check.images.read, check.images.unreadable) == (37, {})


def test_unreadable_missing_and_unnamed_files(folder: Path) -> None:
    (folder / "f000.png").write_bytes(b"no image")
    (folder / "f001.png").write_bytes((folder / "f002.png").read_bytes()[:300])
    (folder / "f003.png").unlink()
    shutil.copy(folder / "f004.png", folder / "extra.JPG")
    (folder / "notes.txt").write_text("no image")
    check = checked(manifest_of(folder))
    found = found_in(check)
    assert found["unreadable"].n == 2
    assert found["missing_files"].n == 1
    assert "f003.png" in found["missing_files"].message
    assert found["unnamed_files"].n == 1
    assert "extra.JPG" in found["unnamed_files"].message
    assert check.images is not None
    assert check.images.read == 37
    assert check.images.unreadable["no such file"] == 1
    assert sum(check.images.unreadable.values()) == 3
    alone = stray_files(manifest_of(folder), whole=False)
    assert alone.unnamed is None  # the other splits lie in the same folder


def test_doubles_and_their_labels(folder: Path) -> None:
    shutil.copy(folder / "f000.png", folder / "f010.png")  # the same bytes
    copied(folder, "f001.png", "f011.png", "mirrored")
    copied(folder, "f002.png", "f012.png", "smaller")
    ages = {0: "30", 10: "31", 1: "30", 11: "33", 2: "30", 12: None}
    changed(folder, "age", ages)
    changed(folder, "race", {0: "A", 10: "B", 1: "A", 11: "A", 2: "A", 12: "A"})
    manifest = changed(folder, "gender", dict.fromkeys(ages, "x"))
    check = checked(manifest)
    assert check.images is not None
    assert (check.images.same_bytes, check.images.pairs, check.images.faces) == (1, 3, 6)
    # a year apart is none; an unknown age contradicts nothing
    assert (check.images.differing, check.images.differ) == (2, {"age": 1, "race": 1})
    found = found_in(check)
    assert (found["same_bytes"].n, found["near_duplicates"].n) == (1, 6)
    assert "1 in age, 1 in race" in found["labels_differ"].message


def test_people_and_copies_in_several_splits(folder: Path) -> None:
    copied(folder, "f000.png", "f020.png", "encoded")
    values = {row: "train" if row < 20 else "test" for row in range(40)}
    manifest = changed(folder, "split", {**values, 1: "test", 39: "train"})
    check = checked(manifest)
    person, photo = (found_in(check)[code] for code in ("person_leak", "photo_leak"))
    assert person.severity == photo.severity == "serious"
    assert person.message.startswith("2 of 20 test faces (10.0 %) share a person with train")
    assert photo.message.startswith("1 of 20 test faces (5.0 %) share a photo with train")


def test_contradictions_of_a_person(folder: Path) -> None:
    frame = manifest_of(folder).frame
    other = {row: "A" if frame["race"][row] == "B" else "B" for row in (0, 2)}
    found = found_in(checked(changed(folder, "race", other), images=False))
    assert found["contradiction"].message == "2 people with more than one race (4 faces)"


def test_nameless_faces_and_a_leaky_split(folder: Path) -> None:
    manifest = changed(folder, "subject_id", {0: None, 1: "photo:x", 2: "photo:x"})
    check = checked(replace(manifest, leaky="people on both sides"), images=False)
    assert check.nameless == 3
    assert check.people == 19  # both photos of p0 and one of p1 lost their name
    found = found_in(check)
    assert found["nameless"].n == 3
    assert found["leaky_split"].message == "40 faces: people on both sides"
    assert [f.severity for f in check.findings] == ["serious", "info"]


def test_images_in_memory(folder: Path) -> None:
    manifest = read_data("rendered:people=10,photos=2,seed=3")
    check = checked(manifest)
    assert check.images is not None
    assert check.images.read == 20
    assert check.findings == []


def test_ages_and_bands() -> None:
    frame = pd.DataFrame({"age": ["25", "20-29", "more than 70", None, "x"]})
    low, high = ages_of(frame)
    np.testing.assert_array_equal(low, [25, 20, 70, np.nan, np.nan])
    np.testing.assert_array_equal(high, [25, 30, np.inf, np.nan, np.nan])
    low, high = ages_of(pd.DataFrame({"age_low": ["0", "70", None], "age_high": ["3", None, None]}))
    np.testing.assert_array_equal(low, [0, 70, np.nan])
    np.testing.assert_array_equal(high, [3, np.inf, np.nan])


def test_bands_disagree_if_they_do_not_overlap() -> None:
    frame = pd.DataFrame({"age": ["20-29", "20-29", "30-39", "25", "30"]})
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [3, 4]])
    # 20-29 ends before 30; 25 and 30 are more than a year apart
    found = disagreements(frame, pairs)
    assert {name: pairs.tolist() for name, pairs in found.items()} == {
        "age": [False, True, False, True, True]
    }


def test_bands_are_counted_as_written() -> None:
    frame = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "path": ["a", "b", "c"],
            "age_low": ["0", "70", "70"],
            "age_high": ["3", None, None],
        }
    )
    manifest = Manifest("toy", Path("nowhere"), frame, ())
    check = checked(manifest, images=False)
    groups = {count.group: count.found for count in check.counts}
    assert groups == {"usable": 3, "age=0-2": 1, "age=70+": 2}
    assert (check.youngest, check.oldest) == (0, None)
    gone = found_in(check)["missing_files"]
    assert (gone.n, gone.severity) == (3, "serious")
    assert gone.message == "3 image files missing, such as a: is the folder right?"


def test_ids_that_hardly_differ(folder: Path) -> None:
    manifest = changed(folder, "subject_id", {0: "anna ", 1: "anna", 2: "Bo", 3: "bo", 4: "Cy"})
    found = found_in(checked(manifest, images=False))["alike_ids"]
    assert (found.n, found.severity) == (4, "warning")
    assert "blanks or case, such as 'anna ' and 'anna'" in found.message


def test_one_image_of_several_people(folder: Path) -> None:
    values = {row: "train" if row < 20 else "test" for row in range(40)}
    changed(folder, "split", values)
    manifest = changed(folder, "path", {30: "./f000.png", 1: "f001.png", 3: "f002.png"})
    found = found_in(checked(manifest, images=False))
    # 2 and 3 are of one person
    assert (found["several_people"].n, found["several_people"].severity) == (1, "warning")
    assert "such as f000.png" in found["several_people"].message
    assert found["image_leak"].message.startswith("1 of 20 test faces (5.0 %) share an image with")
    crop = manifest.crop.model_copy(update={"region": "box"})
    boxed = replace(manifest, crop=crop, boxes=np.zeros((40, 4)))
    assert found_in(checked(boxed, images=False))["several_people"].severity == "info"


def test_one_split_alone_is_said(folder: Path) -> None:
    found = found_in(checked(replace(manifest_of(folder), split="val"), images=False))
    assert found["one_split"].message == (
        "40 faces of val alone: copies and people across splits cannot be seen"
    )
