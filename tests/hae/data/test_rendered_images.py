from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.errors import InputError
from hae.data.core import content_hash
from hae.data.images import load_face
from hae.data.rendered import paint as painting
from hae.data.rendered.paint import CHUNK, paint
from hae.data.rendered.people import cohort
from hae.data.rendered.reader import RenderedImages, read_rendered
from hae.data.rendered.spec import RenderSpec
from hae.predict import check_images

SPEC = RenderSpec(people=40, photos=2, blur=1.2, noise=10)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return cohort(SPEC)


@pytest.fixture(scope="module")
def faces(people: pd.DataFrame) -> np.ndarray:
    return paint(people, 64)


@pytest.mark.parametrize("batch", [1, 7, 8, CHUNK + 1, 64])
@pytest.mark.parametrize("threads", [1, 2])
def test_bytes_do_not_depend_on_the_batch(
    people: pd.DataFrame, faces: np.ndarray, batch: int, threads: int
) -> None:
    parts = [
        paint(people.iloc[start : start + batch], 64, threads)
        for start in range(0, len(people), batch)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), faces)


@pytest.mark.parametrize("size", [50, 63, 96])  # sides that no vector width divides
def test_bytes_at_other_sizes(people: pd.DataFrame, size: int) -> None:
    together = paint(people.iloc[:20], size)
    alone = [paint(people.iloc[[row]], size)[0] for row in range(20)]
    np.testing.assert_array_equal(together, np.stack(alone))
    assert together.shape == (20, size, size, 3)


def test_bytes_do_not_depend_on_the_order(people: pd.DataFrame, faces: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(len(people))
    np.testing.assert_array_equal(paint(people.iloc[order], 64), faces[order])


def test_parts_are_not_cut_off_by_the_rows_they_are_painted_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = cohort(RenderSpec(people=200, photos=1))
    found = paint(params, 64)
    monkeypatch.setattr(painting, "_rows", lambda size, top, bottom: slice(0, size))
    np.testing.assert_array_equal(paint(params, 64), found)


def test_no_faces(people: pd.DataFrame) -> None:
    assert paint(people.iloc[:0], 64).shape == (0, 64, 64, 3)


def test_knobs_change_the_pictures_of_group_b_alone(people: pd.DataFrame) -> None:
    plain = paint(cohort(RenderSpec(people=40, photos=2)), 64)
    first = (people["group"] == "A").to_numpy()
    for knobs in ({"blur": 1.2}, {"noise": 10.0}, {"ageing": 20.0}):
        planted = paint(cohort(RenderSpec(people=40, photos=2, **knobs)), 64)
        same = (planted == plain).all(axis=(1, 2, 3))
        np.testing.assert_array_equal(same, first)


def test_planted_noise_has_the_stated_size(people: pd.DataFrame) -> None:
    row = people.iloc[:1].assign(sensor=0.0, noise=0.0, blur=0.0)
    clean = paint(row, 128)[0].astype(float)
    noisy = paint(row.assign(noise=12.0), 128)[0].astype(float)
    inside = (clean > 25) & (clean < 230)  # there nothing is cut off
    # 49,152 values: the SD has a relative error of about 0.3 %
    assert (noisy - clean)[inside].std() == pytest.approx(12, rel=0.03)


def test_old_faces_have_more_lines_than_young_ones(people: pd.DataFrame) -> None:
    base = people.iloc[:40].assign(sensor=0.0, blur=0.0, noise=0.0, beard=0.0)
    energy = []
    for age in (25.0, 50.0, 75.0):
        grey = paint(base.assign(painted_age=age), 64).mean(axis=-1)[:, 16:52, 16:48]
        energy.append(np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)))
    assert (energy[1] > energy[0]).mean() > 0.8
    assert (energy[2] > energy[1]).mean() > 0.8


def test_reader_gives_truth_and_attributes_but_no_drawing_parameters() -> None:
    manifest = read_rendered(Path("people=30,photos=2"), None, {})
    assert list(manifest.frame.columns) == [
        "sample_id",
        "path",
        "subject_id",
        "age",
        "group",
        "skin_tone",
        "presentation",
        "expression",
        "drawn_age",
    ]
    assert len(manifest) == 60
    assert manifest.frame.loc[0, "path"] == "rendered/p000000-0.png"
    assert manifest.label == "drawn faces (people=30,photos=2)"
    assert set(manifest.sources.values()) == {"drawn"}
    assert manifest.files == ()
    check_images(manifest)


def test_reader_splits_by_person() -> None:
    root = Path("people=60,photos=2")
    parts = [read_rendered(root, split, {}) for split in ("train", "val", "test")]
    ids = [set(part.frame["subject_id"]) for part in parts]
    assert not ids[0] & ids[1]
    assert not ids[2] & (ids[0] | ids[1])
    assert sum(map(len, parts)) == 120
    assert parts[1].label == "drawn faces (people=60,photos=2) val"


def test_reader_images_belong_to_their_rows() -> None:
    root = Path("people=30,photos=1")
    everyone, train = (read_rendered(root, split, {}) for split in (None, "train"))
    last = len(train) - 1
    row = everyone.frame.index[everyone.frame["sample_id"] == train.frame["sample_id"].iloc[last]]
    (face,) = train.faces([last], (64, 64), 1.0)
    (same,) = everyone.faces([int(row[0])], (64, 64), 1.0)
    np.testing.assert_array_equal(face, same)


@pytest.mark.parametrize(("size", "keep"), [((48, 48), 1.0), ((64, 64), 0.8), ((96, 80), 0.9)])
def test_other_sizes_are_those_of_a_file(
    tmp_path: Path, size: tuple[int, int], keep: float
) -> None:
    manifest = read_rendered(Path("people=3,photos=1"), None, {})
    (face,) = manifest.faces([1], (64, 64), 1.0)
    assert isinstance(face, np.ndarray)
    Image.fromarray(face).save(tmp_path / "face.png")
    (fitted,) = manifest.faces([1], size, keep)
    np.testing.assert_array_equal(fitted, load_face(tmp_path / "face.png", size, keep))


def test_fingerprint_and_hash_follow_the_spec(tmp_path: Path) -> None:
    texts = ["people=9", "people=9,blur=1", "people=9,size=96", "people=9,seed=1"]
    found = [read_rendered(Path(text), None, {}) for text in texts]
    assert len({content_hash(manifest) for manifest in found}) == len(texts)
    file = tmp_path / "faces.toml"
    file.write_text("people = 9\n", encoding="utf-8")
    again = read_rendered(file, None, {})
    assert content_hash(again) == content_hash(found[0])
    assert again.files == (file,)
    assert isinstance(again.images, RenderedImages)


@pytest.mark.parametrize(
    ("text", "split", "mapping", "message"),
    [
        ("default", "dev", {}, "--split 'dev': rendered faces have train, val, test"),
        ("people=1", "val", {}, "--split val: none of 1 people"),
        ("default", None, {"age": "x"}, "--map: rendered faces have fixed columns"),
        ("peeple=1", None, {}, "did you mean 'people'"),
    ],
)
def test_reader_refuses(
    text: str, split: str | None, mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_rendered(Path(text), split, mapping)
