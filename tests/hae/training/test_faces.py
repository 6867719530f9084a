from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.training.faces import check_apart, hold_out, load_faces
from hae.training.store import locked, new_array
from tests.hae.training.toys import grey_faces, write_faces


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "faces", people=6, size=16)


def changed(table: Path, name: str = "other.csv", **columns: object) -> Manifest:
    """The toy data set with other columns."""
    frame = pd.read_csv(table).assign(**columns)
    frame.to_csv(table.with_name(name), index=False)
    return read_data(f"manifest:{table.with_name(name)}")


def test_hold_out_is_by_person() -> None:
    faces = grey_faces(400, people=100)
    kept, held = hold_out(faces, 0.25, seed=3, place="toys")
    assert not set(kept.person) & set(held.person)
    assert sorted([*kept.sample, *held.sample]) == sorted(faces.sample)
    assert held.people + kept.people == 100
    assert len(held) == 4 * held.people
    # 100 people at .25: 25 on average, SD sqrt(100 * .25 * .75) = 4.3; four of them either way
    assert 8 <= held.people <= 42


def test_hold_out_does_not_depend_on_the_order_of_rows() -> None:
    faces = grey_faces(60, people=20)
    turned = faces.take(np.random.default_rng(0).permutation(60))
    _, held = hold_out(faces, 0.3, seed=3, place="toys")
    _, again = hold_out(turned, 0.3, seed=3, place="toys")
    assert set(held.sample) == set(again.sample)
    _, other = hold_out(faces, 0.3, seed=4, place="toys")
    assert set(held.sample) != set(other.sample)
    row = int(np.flatnonzero(turned.sample == held.sample[0])[0])
    np.testing.assert_array_equal(turned.pixels(slice(row, row + 1)), held.pixels(slice(0, 1)))


@pytest.mark.parametrize(("share", "empty"), [(1e-9, "validation"), (1 - 1e-9, "training")])
def test_an_empty_part_is_refused(share: float, empty: str) -> None:
    with pytest.raises(InputError, match=rf"toys: holding out .* of 5 people leaves no {empty}"):
        hold_out(grey_faces(10, people=5), share, seed=0, place="toys")


def test_faces_without_a_person_are_their_own(table: Path, tmp_path: Path) -> None:
    named = ["p0", "p0", None, "  ", *["p1"] * 8]
    loaded = load_faces(changed(table, subject_id=named), 16, 1.0, tmp_path / "c")
    assert loaded.faces.people == 4  # p0, p1 and two without a name
    assert loaded.nameless == 2
    plain = pd.read_csv(table).drop(columns="subject_id")
    plain.to_csv(table.with_name("plain.csv"), index=False)
    manifest = read_data(f"manifest:{table.with_name('plain.csv')}")
    assert load_faces(manifest, 16, 1.0, tmp_path / "c").faces.people == 12


def test_pixels_and_truth_stay_together(table: Path, tmp_path: Path) -> None:
    manifest = read_data(f"manifest:{table}")
    loaded = load_faces(manifest, 16, 1.0, tmp_path / "c")
    whole = manifest.faces(range(len(manifest)), (16, 16), 1.0)
    ages = manifest.frame["age"].astype(float).to_numpy()
    for place, row in enumerate(loaded.faces.row):
        np.testing.assert_array_equal(loaded.faces.pixels([place])[0], whole[row])
        assert loaded.faces.low[place] == loaded.faces.high[place] == ages[row]
    assert not loaded.unreadable


def test_bands_keep_their_open_end(table: Path, tmp_path: Path) -> None:
    bands = ["20-29", "70+", "35", *["0-9"] * 9]
    faces = load_faces(changed(table, age=bands), 16, 1.0, tmp_path / "c").faces
    known = set(zip(faces.low.tolist(), faces.high.tolist(), strict=True))
    # whole years 20 to 29 are the interval [20, 30); a number among bands is its year, or itself
    assert {(20.0, 30.0), (70.0, np.inf), (0.0, 10.0)} < known
    assert len(known) == 4


def test_unreadable_faces_are_named_and_left_out(table: Path, tmp_path: Path) -> None:
    (table.parent / "001-0.png").write_text("no picture")
    (table.parent / "004-1.png").unlink()
    manifest = read_data(f"manifest:{table}")
    for _ in range(2):  # decoded, and from the cache
        loaded = load_faces(manifest, 16, 1.0, tmp_path / "c")
        assert [name for name, _ in loaded.unreadable] == ["001-0.png", "004-1.png"]
        assert loaded.unreadable[1][1] == "no such file"
        assert len(loaded.faces) == 10


def test_the_cache_is_used_and_follows_the_data(table: Path, tmp_path: Path) -> None:
    manifest, cache = read_data(f"manifest:{table}"), tmp_path / "c"
    first, told = load_faces(manifest, 16, 1.0, cache).faces, []
    again = load_faces(manifest, 16, 1.0, cache, progress=told.append).faces
    assert told == [12]
    array = next(cache.glob("*.npy"))
    before = array.stat().st_mtime_ns
    load_faces(manifest, 16, 1.0, cache)
    assert array.stat().st_mtime_ns == before
    np.testing.assert_array_equal(first.pixels(), again.pixels())
    assert load_faces(manifest, 16, 0.5, cache, progress=told.append).faces is not None
    assert told == [12, 12]
    assert len(list(cache.glob("*.npy"))) == 2
    os.utime(table.parent / "000-0.png", (1, 1))
    load_faces(manifest, 16, 1.0, cache, progress=told.append)
    assert len(list(cache.glob("*.npy"))) == 3


def test_an_interrupted_decoding_leaves_nothing(table: Path, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_faces(read_data(f"manifest:{table}"), 16, 1.0, tmp_path / "c", progress=stop)
    assert [path.suffix for path in (tmp_path / "c").iterdir()] == [".lock"]


def test_missing_ages_are_counted_and_named(table: Path, tmp_path: Path) -> None:
    manifest = changed(table, age=[30, None, 20, None, *range(10, 18)])
    with pytest.raises(InputError, match=r"data set other: 2 of 12 faces have no age.*'000-1.png'"):
        load_faces(manifest, 16, 1.0, tmp_path / "c")
    faces = load_faces(manifest, 16, 1.0, tmp_path / "c", truth=False).faces
    assert np.isnan(faces.low).sum() == 2


def test_all_images_unreadable_is_an_error(table: Path, tmp_path: Path) -> None:
    for path in table.parent.glob("*.png"):
        path.write_text("no picture")
    with pytest.raises(InputError, match=r"none of its 12 images can be read; the first, 000-0.p"):
        load_faces(read_data(f"manifest:{table}"), 16, 1.0, tmp_path / "c")


def test_one_person_in_both_parts_is_refused(table: Path, tmp_path: Path) -> None:
    split = ["a", "b", "a", "a", *["b"] * 8]
    changed(table, split=split)
    parts = [read_data(f"manifest:{table.with_name('other.csv')}", s) for s in "ab"]
    train, validation = (load_faces(part, 16, 1.0, tmp_path / "c").faces for part in parts)
    with pytest.raises(InputError, match=r"other b: 1 people are in .* subject_id 'p0'; split by"):
        check_apart(train, validation, parts[1], parts[0])
    kept = train.take(~np.isin(train.person, validation.person))
    check_apart(kept, validation, parts[1], parts[0])


def test_one_nameless_face_in_both_parts_is_refused(table: Path, tmp_path: Path) -> None:
    manifest = changed(table, subject_id=[None, *[f"p{i}" for i in range(11)]])
    faces = load_faces(manifest, 16, 1.0, tmp_path / "c").faces
    nameless = faces.take(faces.person == faces.sample)
    with pytest.raises(InputError, match=r"sample_id '000-0.png'"):
        check_apart(nameless, nameless, manifest, manifest)


def test_a_full_disk_is_an_error_and_leaves_nothing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"no room for 9.22e-06 GB \(No space left on device\)"):
        # 12 x 16 x 16 x 3 = 9216 bytes
        load_faces(read_data(f"manifest:{table}"), 16, 1.0, tmp_path / "c")
    assert [path.suffix for path in (tmp_path / "c").iterdir()] == [".lock"]


def test_an_array_has_its_room_at_once(tmp_path: Path) -> None:
    array = new_array(tmp_path / "a.npy", np.uint8, (1000, 1000))
    assert not array.any()
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 1_000_000


def test_one_process_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    order: list[str] = []

    def wait() -> None:
        with locked(tmp_path / "x.lock"):
            order.append("second")

    other = threading.Thread(target=wait)
    with locked(tmp_path / "x.lock"):
        other.start()
        time.sleep(0.05)
        order.append("first")
    other.join(timeout=10)
    assert order == ["first", "second"]
    with (
        locked(tmp_path / "x.lock"),
        pytest.raises(InputError, match="another process is at work there; wait for its end, or"),
        locked(tmp_path / "x.lock", wait=False),
    ):
        pass


def test_take_shares_the_pixels() -> None:
    faces = grey_faces(9, people=9)
    part = faces.take(np.array([4, 2])).take(np.array([1]))
    np.testing.assert_array_equal(part.pixels(), faces.store[[2]])
    assert replace(part).store is faces.store
