"""How people write age bands, and what they mean."""

from __future__ import annotations

import math

import pytest

from audit.bands import band_label, bands_from_edges, parse_band

INF = math.inf


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("20-29", (20, 30)),
        ("20 - 29", (20, 30)),
        ("20\u201329", (20, 30)),
        ("20 to 29", (20, 30)),
        ("00-02", (0, 3)),
        ("3-9", (3, 10)),
        ("03-Sep", (3, 10)),
        ("3-Sep", (3, 10)),
        ("Oct-19", (10, 20)),
        ("19-Oct", (10, 20)),
        ("(25, 32)", (25, 33)),
        ("(0, 2)", (0, 3)),
        ("[20, 30)", (20, 30)),
        ("[0.5, 3)", (0.5, 3)),
        ("[70, inf)", (70, INF)),
        ("more than 70", (70, INF)),
        ("70+", (70, INF)),
        ("over 60", (60, INF)),
        ("under 18", (0, 18)),
        ("less than 3", (0, 3)),
        ("  20-29  ", (20, 30)),
        ("MORE THAN 70", (70, INF)),
        ("5-5", (5, 6)),
    ],
)
def test_band_texts(text: str, band: tuple[float, float]) -> None:
    assert parse_band(text) == band


@pytest.mark.parametrize(
    "text", ["", "adult", "29-20", "20-", "-5", "20-29-39", "70++", "[30, 20)", "a-b", "1e3+"]
)
def test_no_band(text: str) -> None:
    assert parse_band(text) is None


@pytest.mark.parametrize("band", [*bands_from_edges([0, 3, 10, 18, 70]), (0.5, 3.0), (5.0, 6.0)])
def test_band_labels_are_read_back(band: tuple[float, float]) -> None:
    label = band_label(band)
    assert (parse_band(label) or (float(label), float(label) + 1)) == band
