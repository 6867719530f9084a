"""Numbers, names and notes as a reader sees them."""

from __future__ import annotations

import pytest

from reports.format import (
    count,
    estimate,
    group_label,
    interval,
    note_words,
    number,
    p_value,
    plain,
    plot_text,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (6.414, "years", "6.41"),
        (-0.62, "years", "−0.62"),
        (0.7306, "share", "0.731"),
        (-0.0, "share", "0.000"),
        (0.0001, "share", "1e−04"),
        (None, "years", "—"),
        (1234.5, "years", "1,234.50"),
    ],
)
def test_number(value: float | None, unit: str, text: str) -> None:
    assert number(value, unit) == text


def test_estimate_names_the_unit_and_keeps_an_open_end_visible() -> None:
    assert estimate(6.41, 5.9, 6.9, "years", "years") == "6.41 years [5.90, 6.90]"
    assert estimate(0.73, 0.6, 0.89) == "0.730 [0.600, 0.890]"
    assert estimate(None, None, None) == "—"
    assert interval(None, 0.9) == "[—, 0.900]"


def test_counts_and_p_values() -> None:
    assert [count(12063), count(2.25), count(None)] == ["12,063", "2.2", "—"]
    assert [p_value(0.03), p_value(0.0004), p_value(None)] == ["0.030", "< 0.001", "—"]


def test_notes_are_words_and_keep_their_detail() -> None:
    words = note_words("below_min_n: 3 groups; no_margin")
    assert words.startswith("fewer persons than min_n, so not tested (3 groups); no margin")
    assert note_words(None) == ""


def test_groups() -> None:
    assert group_label({}) == "everyone"
    assert group_label({"gender": "female", "race": None}) == "female · unknown"
    assert group_label({"gender": " "}) == "(blank)"


def test_direction_cannot_leak_out_of_a_name() -> None:
    assert plain("\u202egnorw") == "\ufffdgnorw"
    assert plain("עברית") == "\u2068עברית\u2069"
    assert plain("a\nb\x07") == "a b\ufffd"


@pytest.mark.parametrize("text", ["<b>x</b>", "<br>", '<a href="x">y</a>', "&lt;i&gt;"])
def test_plot_text_leaves_plotly_no_markup(text: str) -> None:
    shown = plot_text(text)
    assert "<" not in shown
    assert ">" not in shown
    assert shown.count("&") == sum(shown.count(e) for e in ("&lt;", "&gt;", "&amp;"))


def test_plot_text_closes_what_it_cuts() -> None:
    shown = plot_text("\u2068" + "ع" * 90 + "\u2069", 20)
    assert shown.count("\u2068") == shown.count("\u2069") == 1
