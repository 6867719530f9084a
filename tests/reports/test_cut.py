"""Pages stay of bearable size, and say what they leave out."""

from __future__ import annotations

import re
from dataclasses import replace

from reports.blocks import Cell, Figure, Prose, Section, Table, table
from reports.cut import MAX_GAP_ROWS, cut
from reports.html import EMBEDDED_ROWS, Page, html_of
from reports.page import page_of
from tests.reports.records import age_record


def _table(id: str, n: int, *, gaps: bool, fold: bool = False) -> Table:
    rows = [[Cell(f"{id} {i}"), Cell("x")] for i in range(n)]
    return table(id, id, ("a", "b"), rows, gaps=gaps, summary=id if fold else None)


def _rows(sections: tuple[Section, ...]) -> dict[str, int]:
    blocks = [block for section in sections for block in section.blocks]
    tables = [b.table if isinstance(b, Figure) else b for b in blocks]
    return {found.id: len(found.rows) for found in tables if isinstance(found, Table)}


def test_rows_of_gaps_are_limited_over_all_tables_and_sections() -> None:
    shown = Figure("f", "t", "c", (), _table("drawn", 1500, gaps=True))
    sections = (
        Section("first", "", (_table("first", 5, gaps=True),)),
        Section("gaps", "", (shown, _table("all", 800, gaps=True))),
        Section("more", "", (_table("late", 7, gaps=True), _table("others", 900, gaps=False))),
    )
    found = cut(sections, 10**9)
    assert MAX_GAP_ROWS == 2000
    assert _rows(found) == {"first": 5, "drawn": 1500, "all": 500, "late": 0, "others": 900}
    said = [block.more for block in (found[1].blocks[1], *found[2].blocks)]  # type: ignore[union-attr]
    assert said[0] == "300 more rows of this table are in the record, and in its CSV."
    assert str(said[1]).startswith("7 more rows")
    assert said[2] is None


def test_rows_in_sight_are_kept_before_those_folded_away() -> None:
    everything = Section("gaps", "", (_table("all", 3000, gaps=True, fold=True),))
    terms = Section("terms", "", (_table("terms", 40, gaps=True),))
    found = cut((Section("first", "", ()), everything, terms), 10**9)
    assert _rows(found) == {"all": 1960, "terms": 40}


def test_a_page_that_is_small_enough_is_not_touched() -> None:
    sections = page_of(age_record()).sections
    assert cut(sections, 10**9) == sections
    tall = (Section("a", "", (Prose(("x",)),)), Section("b", "", (_table("t", 500, gaps=False),)))
    assert _rows(cut(tall, 150 * 150)) == {"t": 150}
    assert _rows(cut(tall[1:], 10)) == {"t": 500}, "the first section stays whole"


def test_tables_folded_away_are_cut_before_those_in_sight() -> None:
    tables = (_table("all", 400, gaps=False, fold=True), _table("groups", 14, gaps=False))
    sections = (Section("first", "", ()), Section("groups", "", tables))
    assert _rows(cut(sections, 14 * 150 + 30 * 150)) == {"all": 30, "groups": 14}
    assert _rows(cut(sections, 14 * 150)) == {"all": 4, "groups": 8}
    assert _rows(cut(sections, 0)) == {"all": 4, "groups": 4}


def test_two_thousand_groups_make_one_page_of_six_megabytes_at_most() -> None:
    groups: dict[str, list[str | None]] = {"camera": [f"camera {i:04d}" for i in range(2000)]}
    page = page_of(age_record(groups=groups))
    assert len(html_of(page).encode()) < 6_000_000
    assert max(_rows(cut(page.sections, 10**9)).values()) <= 2000


def test_a_large_record_is_beside_its_page() -> None:
    page: Page = page_of(age_record())
    row = age_record().curves[0]
    large = replace(page, record=age_record(curves=[row.model_dump(by_alias=True)] * EMBEDDED_ROWS))
    assert '<a class="button" href="audit.json" download>' in html_of(large, "none")
    assert re.search(r'<button[^>]* id="download"', html_of(page, "none"))
    assert len(html_of(large, "none")) < len(html_of(page, "none"))
