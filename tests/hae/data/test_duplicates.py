from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.data.splits import duplicates
from hae.data.splits.duplicates import (
    Hashes,
    groups_of,
    hashes_of,
    near_pairs,
    pairs_among,
    perceptual_hash,
    same_bytes,
)
from tests.hae.data.drawn import copied, drawn_faces, written


def bits_of(hashes: Hashes) -> npt.NDArray[np.uint8]:
    return np.unpackbits(hashes.astype("<u8").view(np.uint8), axis=1)


def cosine_bits(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Signs of the 16 x 16 low frequencies against their median, by the definition of the DCT."""
    k, n = np.arange(16)[:, None], np.arange(32)[None]
    basis = 2 * np.cos(np.pi * k * (2 * n + 1) / 64)
    low = basis @ grey @ basis.T
    return np.asarray(low > np.median(low)).ravel()


def test_hash_is_the_published_one() -> None:
    manifest = read_data("rendered:people=6,photos=1,seed=4,size=32")
    faces = np.stack([f for f in manifest.faces(range(6), (32, 32), 1.0) if not isinstance(f, str)])
    found = bits_of(perceptual_hash(faces))
    weights = np.array([0.299, 0.587, 0.114])
    expected = np.stack([cosine_bits((face * weights).sum(axis=2)) for face in faces])
    assert (found == expected).all()
    assert (found.sum(axis=1) == 128).all()  # half of the frequencies lie above their median
    for face, bits in zip(faces, found, strict=True):
        grey = np.asarray(Image.fromarray(face).convert("L"), dtype=np.float64)
        assert (cosine_bits(grey) != bits).sum() <= 8  # Pillow rounds the grey levels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    drawn_faces(tmp_path)
    return tmp_path


@pytest.mark.parametrize("how", ["smaller", "larger", "encoded", "brighter", "mirrored", "grey"])
def test_copies_are_found_and_other_faces_are_not(folder: Path, how: str) -> None:
    frame = read_data(f"manifest:{folder / 'faces.csv'}").frame
    rows = pd.DataFrame(
        [(f"c{k}", copied(folder, f"f{k:03}.png", f"c{k}.png", how)) for k in (3, 17)],
        columns=["sample_id", "path"],
    )
    written(folder, pd.concat([frame, rows]))
    hashes, reasons = hashes_of(read_data(f"manifest:{folder / 'faces.csv'}"))
    assert pairs_among(hashes, reasons).tolist() == [[3, 40], [17, 41]]


def test_unreadable_faces_pair_with_nobody(folder: Path) -> None:
    for name in ("f005.png", "f009.png"):
        (folder / name).write_bytes(b"no image")
    done: list[int] = []
    hashes, reasons = hashes_of(read_data(f"manifest:{folder / 'faces.csv'}"), done.append)
    assert [row for row, reason in enumerate(reasons) if reason] == [5, 9]
    assert "not an image" in reasons[5]
    assert sum(done) == 40
    assert pairs_among(hashes, reasons, progress=done.append).shape == (0, 2)
    assert sum(done) == 80


def planted(n: int, seed: int) -> Hashes:
    """Random hashes among which some are near, some mirrored, some just too far."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (n, 256), dtype=np.uint8)
    odd = np.arange(256) % 2 == 1
    for row in range(1, n, 7):
        bits[row] = bits[rng.integers(0, row)]
        if row % 2:
            bits[row, odd] ^= 1
        bits[row, rng.choice(256, rng.integers(0, 40), replace=False)] ^= 1
    return np.packbits(bits, axis=1).view("<u8").astype(np.uint64)


def by_definition(hashes: Hashes, near: int) -> list[list[int]]:
    bits = bits_of(hashes)
    mirror = np.where(np.arange(256) % 2 == 1, 1 - bits, bits)
    apart = (bits[:, None] != bits[None]).sum(axis=2)
    turned = (bits[:, None] != mirror[None]).sum(axis=2)
    i, j = np.nonzero(np.minimum(apart, turned) <= near)
    return [[int(a), int(b)] for a, b in zip(i, j, strict=True) if a < b]


@pytest.mark.parametrize("near", [0, 10, 32])
def test_pairs_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch, near: int) -> None:
    monkeypatch.setattr(duplicates, "COLUMNS", 50)  # blocks that end within the rows
    hashes = planted(200, seed=near)
    expected = by_definition(hashes, near)
    assert near_pairs(hashes, near).tolist() == expected
    assert (near == 0) or len(expected) > 5


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_faces(n: int) -> None:
    same = np.ones((n, 4), dtype=np.uint64)
    assert near_pairs(same).tolist() == ([[0, 1]] if n == 2 else [])
    assert groups_of(near_pairs(same), n).tolist() == [0] * n


def test_groups_are_chains_and_known_by_their_first() -> None:
    pairs = np.array([[1, 4], [4, 5], [0, 3]])
    assert groups_of(pairs, 6).tolist() == [0, 1, 2, 0, 1, 1]
    assert groups_of(np.empty((0, 2), dtype=np.int64), 3).tolist() == [0, 1, 2]


def test_order_makes_no_difference() -> None:
    hashes = planted(120, seed=5)
    order = np.random.default_rng(0).permutation(120)
    first = {frozenset(pair) for pair in near_pairs(hashes).tolist()}
    again = {frozenset(order[pair].tolist()) for pair in near_pairs(hashes[order])}
    assert again == first


def test_same_bytes(tmp_path: Path) -> None:
    contents = {"a": b"12", "b": b"123", "c": b"12", "d": b"34", "e": b"12"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in [*contents, "missing", "missing"]]
    assert same_bytes(paths).tolist() == [0, 1, 0, 3, 0, 5, 6]


def test_drawn_faces_need_no_files() -> None:
    manifest: Manifest = read_data("rendered:people=10,photos=2,seed=3")
    hashes, reasons = hashes_of(manifest)
    assert hashes.shape == (20, 4)
    assert reasons == ("",) * 20


def test_of_many_equal_hashes_the_first_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_EQUAL", 3)
    one = planted(1, seed=0)[0]
    near, far = one.copy(), ~one
    near[0] ^= np.uint64(1)
    far[0] ^= np.uint64(0xFF00FF00FF00FF00)
    hashes = np.stack([far, one, near, one, one, near, one])
    pairs = near_pairs(hashes, near=8).tolist()
    # 1 stands for 3, 4 and 6; the two of the other hash are paired with it and with each other
    assert pairs == [[1, 2], [1, 3], [1, 4], [1, 5], [1, 6], [2, 5]]
    assert groups_of(np.array(pairs), 7).tolist() == [0, 1, 1, 1, 1, 1, 1]


def test_few_equal_hashes_give_all_pairs() -> None:
    hashes = np.repeat(planted(30, seed=1), 4, axis=0)[np.random.default_rng(2).permutation(120)]
    assert near_pairs(hashes, 10).tolist() == by_definition(hashes, 10)


def test_a_placeholder_for_thousands_is_no_trouble() -> None:
    done: list[int] = []
    pairs = near_pairs(np.ones((20_000, 4), dtype=np.uint64), progress=done.append)
    assert len(pairs) == 19_999
    assert sum(done) == 20_000
