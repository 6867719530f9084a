from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from audit.errors import InputError
from audit.hashing import Keys, text_keys
from hae.data.core import Manifest
from hae.data.manifest import read_manifest, write_manifest
from hae.data.readers import read_data
from hae.data.splits import divide as module
from hae.data.splits.divide import divided, official, strata_names, strata_of, units_of
from hae.data.splits.duplicates import groups_of, hashes_of, near_pairs
from hae.data.splits.leaks import leaks
from hae.data.splits.parting import parts_by_person
from tests.hae.data.drawn import drawn_faces, with_copies, written

SHARES = (0.8, 0.2)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 people, 3 photos each."""
    folder = tmp_path_factory.mktemp("known")
    drawn_faces(folder, people=40, photos=3)
    return folder


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 faces, of the first 10 of which there are two copies; nobody is known."""
    folder = tmp_path_factory.mktemp("unknown")
    with_copies(folder, drawn_faces(folder), of=10, copies=2)
    return folder


def manifest_of(folder: Path) -> Manifest:
    return read_data(f"manifest:{folder / 'faces.csv'}")


def membership(manifest: Manifest) -> dict[str, str]:
    frame = manifest.frame
    return dict(zip(frame["sample_id"], frame["split"], strict=True))


def shuffled(manifest: Manifest) -> Manifest:
    frame = manifest.frame.sample(frac=1, random_state=1).reset_index(drop=True)
    return replace(manifest, frame=frame)


def test_known_people_need_no_images(known: Path) -> None:
    manifest = manifest_of(known)
    units = units_of(replace(manifest, root=Path("nowhere")))
    assert units.manifest.frame.equals(manifest.frame)
    assert (units.named, units.copies, units.word) == (120, 0, "person")
    assert len(np.unique(units.person)) == 40


def test_copies_of_a_photo_become_one_person(unknown: Path) -> None:
    units = units_of(manifest_of(unknown))
    names = units.manifest.frame.set_index("sample_id")["subject_id"]
    # the first of a group in text order is "copy0-...", though it stands behind "f000"
    assert names["f003"] == names["copy0-f003"] == names["copy1-f003"] == "photo:copy0-f003"
    assert (names[[f"f{k:03}" for k in range(10, 40)]] == "").all()
    assert (units.named, units.copies, units.word) == (0, 30, "photo")
    assert len(np.unique(units.person)) == 40


def test_an_unnamed_copy_of_a_known_face_is_that_person(unknown: Path, tmp_path: Path) -> None:
    manifest = manifest_of(unknown)
    names = manifest.frame["sample_id"].map({"f003": "Ann", "f020": "Bo"}).fillna("")
    units = units_of(replace(manifest, frame=manifest.frame.assign(subject_id=names)))
    found = units.manifest.frame.set_index("sample_id")["subject_id"]
    assert found[["f003", "copy0-f003", "copy1-f003", "f020"]].tolist() == ["Ann"] * 3 + ["Bo"]
    assert found["f004"] == "photo:copy0-f004"
    assert (units.named, units.copies, units.word) == (2, 29, "person or photo")
    assert len(np.unique(units.person)) == 40


def test_the_recipe_step_by_step(tmp_path: Path) -> None:
    """Keys: the first of a group of copies; strata: gender|race|decade; train and test 4:1."""
    frame = drawn_faces(tmp_path).astype("object")
    frame.loc[5, "age"] = frame.loc[6, "gender"] = None
    frame = with_copies(tmp_path, frame, of=10, copies=1).sort_values("sample_id")
    written(tmp_path, frame)
    manifest = manifest_of(tmp_path)
    rows, (hashes, _) = manifest.frame, hashes_of(manifest)
    key = rows["sample_id"].to_numpy()[groups_of(near_pairs(hashes), len(rows))]
    decade = (rows["age"].fillna("-1").astype(float) // 10).astype(str)
    strata = (rows["gender"].fillna("") + "|" + rows["race"].fillna("") + "|" + decade).tolist()
    part = parts_by_person(text_keys(key.tolist(), "subject"), strata, SHARES, 0)
    found = divided(units_of(manifest), "ratio", SHARES, strata_of(rows), 0)
    assert found.manifest.frame["split"].tolist() == np.array(["train", "test"])[part].tolist()


@pytest.mark.parametrize("protocol", ["ratio", "se", "rs"])
@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.7, 0.1, 0.2)])
def test_protocols_divide(known: Path, protocol: str, shares: tuple[float, ...]) -> None:
    units = units_of(manifest_of(known))
    strata = strata_of(units.manifest.frame)
    found = divided(units, protocol, shares, strata, 0)
    names = ("train", "val", "test") if len(shares) == 3 else ("train", "test")
    counts = found.manifest.frame["split"].value_counts()
    assert set(counts.index) == set(names)
    apart = all(leak.shared == 0 for leak in found.leaks)
    assert apart == (protocol != "rs")
    assert bool(found.leaky) == (protocol == "rs")
    again = divided(
        units_of(shuffled(units.manifest)),
        protocol,
        shares,
        strata_of(shuffled(units.manifest).frame),
        0,
    )
    assert membership(again.manifest) == membership(found.manifest)
    other = divided(units, protocol, shares, strata, 1)
    assert membership(other.manifest) != membership(found.manifest)


def test_order_makes_no_difference_for_copies(unknown: Path) -> None:
    manifest = manifest_of(unknown)
    tables = []
    for some in (manifest, shuffled(manifest)):
        units = units_of(some)
        tables.append(divided(units, "ratio", SHARES, strata_of(units.manifest.frame), 0).manifest)
    first, second = (table.frame.set_index("sample_id").sort_index() for table in tables)
    assert first.equals(second[first.columns])


def test_random_split_says_how_leaky_it_is(known: Path, tmp_path: Path) -> None:
    units = units_of(manifest_of(known))
    found = divided(units, "rs", SHARES, strata_of(units.manifest.frame), 0)
    frame = found.manifest.frame
    test, train = frame[frame["split"] == "test"], frame[frame["split"] == "train"]
    shared = int(test["subject_id"].isin(train["subject_id"]).sum())
    assert shared > 15  # of 24: two other photos of a person are in train with 1 - 0.2 ** 2
    said = f"{shared} of {len(test)} test faces ({100 * shared / len(test):.1f} %) share a person"
    write_manifest(found.manifest, tmp_path / "rs.csv", found.made, found.leaky)
    for part in ("train", "test"):
        leaky = read_manifest(tmp_path / "rs.csv", part, {}).leaky
        assert leaky is not None
        assert leaky.startswith("split at random over images: " + said)


def test_random_split_of_unknown_people_is_leaky_too(unknown: Path) -> None:
    units = units_of(manifest_of(unknown))
    found = divided(units, "rs", SHARES, strata_of(units.manifest.frame), 0)
    assert "test faces" in found.leaky["test"]
    assert found.leaky["test"].endswith("who else is on both sides is unknown")


def by_row(person: Keys, *arguments: object) -> npt.NDArray[np.int64]:
    """A division that forgets who is on the photos."""
    return np.array([row % 3 == 0 for row in range(len(person))], dtype=np.int64)


@pytest.mark.parametrize("protocol", ["ratio", "se"])
def test_a_planted_leak_is_refused(
    known: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    units = units_of(manifest_of(known))
    monkeypatch.setattr(module, "parts_by_person", by_row)
    with pytest.raises(InputError, match=f"--protocol {protocol}: 40 of 40 test faces .*such as"):
        divided(units, protocol, SHARES, [""] * 120, 0)


def test_a_planted_leak_of_copies_is_refused(
    unknown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = units_of(manifest_of(unknown))
    monkeypatch.setattr(module, "parts_by_person", by_row)
    with pytest.raises(InputError, match="share a photo with train, such as 'photo:copy0-f000'"):
        divided(units, "ratio", SHARES, [""] * 60, 0)


def test_subject_exclusive_needs_people(unknown: Path) -> None:
    units = units_of(manifest_of(unknown))
    with pytest.raises(InputError, match="subject-exclusive impossible: 60 of 60 faces have no"):
        divided(units, "se", SHARES, [""] * 60, 0)


def test_few_people_are_refused(tmp_path: Path) -> None:
    drawn_faces(tmp_path, people=1, photos=3)
    units = units_of(manifest_of(tmp_path))
    with pytest.raises(InputError, match=r"3 faces leave no (train|test) face; give more"):
        divided(units, "ratio", SHARES, [""] * 3, 0)


def test_failed_labels_belong_to_no_part(known: Path) -> None:
    manifest = manifest_of(known)
    reasons = tuple("no age" if row in (3, 50) else "" for row in range(120))
    units = units_of(replace(manifest, reasons=reasons))
    found = divided(units, "ratio", SHARES, strata_of(units.manifest.frame), 0).manifest
    assert len(found) == 120
    assert [row for row, split in enumerate(found.frame["split"]) if split == ""] == [3, 50]


def test_own_columns_are_kept(known: Path) -> None:
    manifest = manifest_of(known)
    manifest = replace(manifest, frame=manifest.frame.assign(split="mine", source_split="x"))
    found = divided(units_of(manifest), "ratio", SHARES, [""] * 120, 0).manifest.frame
    assert set(found["source_source_split"]) == {"mine"}
    assert set(found["source_split"]) == {"x"}
    assert set(found["split"]) == {"train", "test"}


def with_split(folder: Path, *, overlap: int) -> Manifest:
    """Of 40 people the last 10 are the test part; of ``overlap`` others a photo too."""
    manifest = manifest_of(folder)
    person = np.arange(120) // 3
    test = (person >= 30) | ((np.arange(120) % 3 == 0) & (person < overlap))
    split = np.where(test, "test", np.where(person < 20, "train", "val"))
    return replace(manifest, frame=manifest.frame.assign(split=split))


def test_official_split_without_overlap(known: Path) -> None:
    manifest = with_split(known, overlap=0)
    found = official(units_of(manifest))
    assert found.manifest.frame.equals(manifest.frame)
    assert found.leaky == {}
    assert [str(leak) for leak in found.leaks] == [
        "0 of 30 test faces share a person with val",
        "0 of 30 test faces share a person with train",
        "0 of 30 val faces share a person with train",
    ]


def test_official_split_with_overlap_says_so(known: Path) -> None:
    # 5 test photos more, of people who have two photos in train
    found = official(units_of(with_split(known, overlap=5)))
    words = "official split: 5 of 35 test faces (14.3 %) share a person with train"
    assert found.leaky == {"test": words, "train": words}


def test_official_split_with_copies_on_both_sides(unknown: Path) -> None:
    manifest = manifest_of(unknown)
    split = np.where(manifest.frame["sample_id"].str.startswith("copy1"), "test", "train")
    found = official(units_of(replace(manifest, frame=manifest.frame.assign(split=split))))
    assert found.leaky["test"].endswith("10 of 10 test faces (100.0 %) share a photo with train")


def test_official_needs_a_split(known: Path) -> None:
    with pytest.raises(InputError, match="has no column 'split'"):
        official(units_of(manifest_of(known)))


def test_strata() -> None:
    frame = pd.DataFrame(
        {
            "gender": ["F", None, "M", "M"],
            "age": ["25", None, "9.5", "20-29"],
            "site": ["1", "2", "", "3"],
        }
    )
    assert strata_names(frame) == ("gender", "age")
    assert strata_of(frame) == ["F|2.0", "|-1.0", "M|0.0", "M|20-29"]
    assert strata_of(frame, ["site"]) == ["1", "2", "", "3"]
    assert strata_of(frame, []) == [""] * 4
    bands = pd.DataFrame({"age_low": ["0", "70"], "age_high": ["3", None]})
    assert strata_of(bands) == ["0-3", "70-"]
    with pytest.raises(InputError, match="--strata: no column 'race'; the data set has gender"):
        strata_of(frame, ["gender", "race"])


def test_what_was_written_is_read_as_it_was(unknown: Path, tmp_path: Path) -> None:
    units = units_of(manifest_of(unknown))
    found = divided(units, "ratio", SHARES, strata_of(units.manifest.frame), 0)
    write_manifest(found.manifest, tmp_path / "deep" / "t.csv", found.made, found.leaky)
    train, test = (read_manifest(tmp_path / "deep" / "t.csv", s, {}) for s in ("train", "test"))
    assert len(train) + len(test) == 60
    assert all(path.is_file() for path in [*train.paths(), *test.paths()])
    assert not leaks(pd.concat([train.frame, test.frame]))[0].shared


def test_a_leaky_table_stays_leaky(known: Path, tmp_path: Path) -> None:
    units = units_of(manifest_of(known))
    drawn = divided(units, "rs", SHARES, strata_of(units.manifest.frame), 0)
    write_manifest(drawn.manifest, tmp_path / "rs.csv", drawn.made, drawn.leaky)
    for split in (None, "test"):
        again = official(units_of(read_manifest(tmp_path / "rs.csv", split, {})))
        write_manifest(again.manifest, tmp_path / "again.csv", again.made, again.leaky)
        for part in (None, "test"):
            leaky = read_manifest(tmp_path / "again.csv", part, {}).leaky
            assert leaky is not None
            assert drawn.leaky["test"] in leaky
    third = official(units_of(read_manifest(tmp_path / "again.csv", None, {})))
    assert third.leaky == again.leaky  # nothing is said twice


@pytest.mark.parametrize("protocol", ["ratio", "se"])
def test_people_on_one_image_go_together(known: Path, protocol: str) -> None:
    manifest = manifest_of(known)
    frame = manifest.frame
    path = frame["path"].copy()
    path[np.arange(0, 60, 3)] = [f"./{name}" for name in path[np.arange(60, 120, 3)]]
    manifest = replace(manifest, frame=frame.assign(path=path))
    units = units_of(manifest)
    assert units.manifest.frame["subject_id"].equals(frame["subject_id"])  # two faces, two people
    assert (len(np.unique(units.person)), units.joined) == (20, 120)
    for seed in range(3):
        found = divided(units, protocol, SHARES, strata_of(frame), seed)
        split = found.manifest.frame["split"].to_numpy()
        assert (split[0:60:3] == split[60:120:3]).all()
        assert all(not leak.shared for leak in found.leaks)
    again = divided(units_of(shuffled(manifest)), "ratio", SHARES, [""] * 120, 0)
    first = divided(units, "ratio", SHARES, [""] * 120, 0)
    assert membership(again.manifest) == membership(first.manifest)
    drawn = divided(units, "rs", SHARES, [""] * 120, 0)
    assert "share an image with train" in drawn.leaky["test"]


def test_nameless_faces_of_one_image_go_together(unknown: Path) -> None:
    manifest = manifest_of(unknown)
    boxes = np.tile([0.0, 0.0, 32.0, 64.0], (60, 1))
    boxes[20:40] = [32.0, 0.0, 64.0, 64.0]  # the right half of an image, another face
    path = manifest.frame["path"].copy()
    path[20:40] = path[0:20].tolist()
    crop = manifest.crop.model_copy(update={"region": "box"})
    frame = manifest.frame.assign(path=path)
    units = units_of(replace(manifest, frame=frame, boxes=boxes, crop=crop))
    for seed in range(3):
        found = divided(units, "ratio", SHARES, [""] * 60, seed)
        split = found.manifest.frame["split"].to_numpy()
        assert (split[0:20] == split[20:40]).all()


def test_failed_labels_need_no_person(known: Path) -> None:
    manifest = manifest_of(known)
    names = manifest.frame["subject_id"].where(manifest.frame.index != 3, "")
    reasons = tuple("no age" if row == 3 else "" for row in range(120))
    manifest = replace(manifest, frame=manifest.frame.assign(subject_id=names), reasons=reasons)
    units = units_of(replace(manifest, root=Path("nowhere")), read=never)
    assert (units.named, units.nameless, units.unread, units.word) == (119, 0, 0, "person")
    assert divided(units, "se", SHARES, [""] * 120, 0).made.startswith("se 0.8:0.2 by person")


def never(done: int) -> None:
    raise AssertionError("read an image")
