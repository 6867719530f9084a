"""Maps and boxes to shares of regions and cells, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from audit.errors import InputError
from audit.face_regions import BOXES, REGIONS, SIDE
from hae.data.crop import Crop
from hae.where.face import Face, face_concern, face_in
from hae.where.reduce import of_boxes, of_maps


def one_hot(x: float, y: float, size: int = 100) -> np.ndarray:
    found = np.zeros((1, size, size))
    found[0, int(y * size), int(x * size)] = 3.0
    return found


@pytest.mark.parametrize("region", BOXES)
def test_one_place_in_a_region_is_all_its_share(region: str) -> None:
    """A cell of 1/100 by side in the middle of a box: share 1 there, from either kind of look."""
    x0, y0, x1, y1 = BOXES[region]
    x, y = int(50 * (x0 + x1)) / 100, int(50 * (y0 + y1)) / 100
    expected = np.eye(len(REGIONS))[REGIONS.index(region)]
    np.testing.assert_allclose(of_maps(one_hot(x, y)).regions[0], expected, atol=1e-12)
    box = np.array([[[x, y, x + 0.01, y + 0.01]]])
    np.testing.assert_allclose(of_boxes(box).regions[0], expected, atol=1e-12)


def test_left_is_the_left_of_the_picture() -> None:
    """A map and its mirror image: what is left in one is right in the other."""
    rng = np.random.default_rng(0)
    maps = rng.random((5, 6, 6))
    here, there = of_maps(maps).regions, of_maps(maps[:, :, ::-1]).regions
    mirror = [REGIONS.index(n) for n in (
        "forehead", "right_eye", "left_eye", "nose", "right_cheek", "left_cheek", "mouth", "chin",
        "outside",
    )]  # fmt: skip
    np.testing.assert_allclose(there, here[:, mirror], atol=1e-12)
    left = of_maps(one_hot(0.3, 0.4)).regions[0]
    assert left[REGIONS.index("left_eye")] == pytest.approx(1)


def test_an_even_map_gives_areas_whatever_its_grid() -> None:
    areas = np.array([(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in BOXES.values()])
    for side in (1, 2, 7, 13):
        found = of_maps(np.full((2, side, side), 0.5))
        np.testing.assert_allclose(found.regions[1], [*areas, 1 - areas.sum()], atol=1e-12)
        np.testing.assert_allclose(found.cells, 1 / SIDE**2, atol=1e-12)


def test_cells_and_boxes_overlap_by_area() -> None:
    """By hand. Box [.1, .5] x [.2, .6] has area .16. Forehead [.2, .8] x [.08, .30] holds
    [.2, .5] x [.2, .3] = .03; left eye [.15, .5] x [.3, .5] holds .35 x .2 = .07; nose
    [.38, .62] x [.5, .64] holds .12 x .1 = .012; left cheek [.15, .38] x [.5, .64] .23 x .1 = .023.
    A second box lies half in padding: [-.1, .1] x [0, .1] is outside the regions as a whole.
    """
    boxes = np.array([[[0.1, 0.2, 0.5, 0.6]], [[-0.1, 0.0, 0.1, 0.1]]])
    found = of_boxes(boxes)
    expected = np.zeros((2, 9))
    expected[0, [0, 1, 3, 4]] = np.array([0.03, 0.07, 0.012, 0.023]) / 0.16
    expected[0, 8] = 1 - expected[0].sum()
    expected[1, 8] = 1
    np.testing.assert_allclose(found.regions, expected, atol=1e-12)
    # cells of the second: half is no part of the picture; the first cell ends at 1/7
    assert found.cells[1].sum() == pytest.approx(0.5)
    assert found.cells[1, 0] == pytest.approx(0.5)
    # a 2 x 2 map, all in the upper left quarter: forehead holds .3 x .22 of .25
    quarter = of_maps(np.array([[[1.0, 0], [0, 0]]]))
    assert quarter.regions[0, 0] == pytest.approx(0.3 * 0.22 / 0.25)
    assert quarter.regions[0, 1] == pytest.approx(0.35 * 0.2 / 0.25)
    # 3.5 x 3.5 of 7 x 7 cells: whole ones hold 1/12.25
    assert quarter.cells[0, 0] == pytest.approx(1 / 12.25)
    assert quarter.cells[0, 3] == pytest.approx(0.5 / 12.25)
    assert quarter.cells[0, 4] == 0


def test_the_whole_picture_is_no_choice() -> None:
    """Boxes count alike, but the whole image only where a face has no other."""
    whole, eye = [0.0, 0, 1, 1], [0.2, 0.35, 0.3, 0.45]
    mouth = [0.4, 0.7, 0.5, 0.8]
    boxes = np.array([[whole, eye, mouth], [whole, eye, eye], [whole, whole, whole]])
    found = of_boxes(boxes).regions
    assert found[0, [1, 6]] == pytest.approx([0.5, 0.5])
    assert found[1, 1] == pytest.approx(1)
    np.testing.assert_allclose(found[2], of_maps(np.ones((1, 1, 1))).regions[0], atol=1e-12)


def test_shares_sum_to_one_or_are_unknown() -> None:
    rng = np.random.default_rng(1)
    maps = rng.random((20, 4, 4)) * 10.0 ** rng.integers(-6, 6, (20, 1, 1))
    maps[3], maps[4, 0, 0] = 0.0, np.nan
    boxes = np.sort(rng.random((20, 3, 2, 2)), axis=2).reshape(20, 3, 4)
    boxes[5, 1, 2] = boxes[5, 1, 0]  # no width
    for found, unknown in ((of_maps(maps), {3, 4}), (of_boxes(boxes), {5})):
        known = np.array([k not in unknown for k in range(20)])
        np.testing.assert_allclose(found.regions[known].sum(axis=1), 1, atol=1e-12)
        assert (found.regions[known] >= 0).all()
        assert (found.cells[known].sum(axis=1) <= 1 + 1e-12).all()
        assert np.isnan(found.regions[~known]).all()
        assert np.isnan(found.cells[~known]).all()


def test_a_margin_around_the_face_is_outside() -> None:
    """A margin of 0.5 on each side: the face is the middle half, its left eye at .325 to .5."""
    face = face_in(Crop(images="scenes", region="box", margin=0.5))
    assert (face.side, face.left, face.top) == pytest.approx((0.5, 0.25, 0.25))
    found = of_maps(one_hot(0.4, 0.45), face)
    assert found.regions[0, REGIONS.index("left_eye")] == pytest.approx(1)
    assert found.cells[0].sum() == pytest.approx(1)
    far = of_maps(one_hot(0.1, 0.1), face)
    assert far.regions[0, REGIONS.index("outside")] == pytest.approx(1)
    assert far.cells[0].sum() == 0


def test_eyes_and_mouth_meet_their_lines() -> None:
    """By hand: eyes at .30 and mouth at .96 are twice as far apart as .40 and .73, so the face has
    twice the picture's side and begins at .30 - 2 * .40 = -.50.
    """
    face = face_in(Crop(), lines=(0.30, 0.96))
    assert (face.side, face.left, face.top) == pytest.approx((2, -0.5, -0.5))
    # the left eye's box, .15 to .5 by .3 to .5, lies at -.2 to .5 by .1 to .5
    for kind, found in (
        ("map", of_maps(one_hot(0.3, 0.30), face)),
        ("box", of_boxes(np.array([[[0.3, 0.28, 0.32, 0.3]]]), face)),
    ):
        assert found.regions[0, REGIONS.index("left_eye")] == pytest.approx(1), kind
        # and the cell of column .4, row .4 of its side: the third by third
        assert found.cells[0].reshape(SIDE, SIDE)[2, 2] == pytest.approx(1), kind
    # a network that sees the middle 0.8: .5 + (.4 - .5) / .8
    assert face_in(Crop(), keep=0.8).eyes == pytest.approx(0.375)


def test_known_crops_and_what_is_said_of_them() -> None:
    """The face of the wider FairFace crops is 1.5 / 3.5 of that of the narrower ones."""
    narrow, wide = (face_in(Crop(images=f"FairFace's crops, margin {m}")) for m in ("0.25", "1.25"))
    assert wide.side / narrow.side == pytest.approx(1.5 / 3.5, abs=0.01)
    known, unknown = Crop(images="drawn faces"), Crop(images="somebody's")
    assert face_concern(known, face_in(known), None).severity == "info"
    said = face_concern(unknown, Face(), None)
    assert said.severity == "warning"
    assert "eyes at 0.4 and a mouth at 0.73" in said.message
    assert "assumed" in said.message
    assert face_concern(unknown, face_in(unknown, 1, (0.3, 0.6)), (0.3, 0.6)).severity == "info"
    for lines in ((0.7, 0.3), (0.0, 0.5), (0.4, 1.0)):
        with pytest.raises(InputError, match="0 < eyes < mouth < 1"):
            face_in(unknown, lines=lines)
