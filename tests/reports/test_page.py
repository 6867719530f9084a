"""The page as text: what it says, what it hides from nobody, and what it lets through."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest

from audit.notes import NOTES, WARNING_CODES
from audit.result import AuditResult
from reports import html as page_html
from reports.format import note_words, plain
from reports.page import render, write_report
from tests.reports.records import GENDERS, NASTY, age_record, expression_record

AGE = age_record()
EXPRESSION = expression_record()
NAMED = expression_record(groups={"name <b>x</b>": [*NASTY], "gender": GENDERS})


class Reader(HTMLParser):
    """Collects what a browser would: visible text, tags with attributes, scripts by id."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.text: list[str] = []
        self._inside: str | None = None
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")
        self._inside = str(dict(attrs).get("id", "")) if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = False

    def handle_data(self, data: str) -> None:
        if self._hidden and self._inside is not None:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data
        elif not self._hidden:
            self.text.append(data)


def read(result: AuditResult) -> Reader:
    reader = Reader()
    reader.feed(render(result))
    reader.text = [" ".join("".join(reader.text).split())]
    return reader


@pytest.fixture(scope="module", params=["age", "expression", "names"])
def result(request: pytest.FixtureRequest) -> AuditResult:
    records = {"age": AGE, "expression": EXPRESSION, "names": NAMED}
    return records[request.param]


def test_same_record_gives_same_bytes(result: AuditResult) -> None:
    assert render(result) == render(AuditResult.model_validate_json(result.to_json()))


def test_page_is_below_the_budget(result: AuditResult) -> None:
    assert len(render(result).encode()) < 6_000_000


def test_a_large_record_is_below_the_budget_and_says_what_it_left_out() -> None:
    groups = {
        "gender": ["f", "m"],
        "race": [f"race {i}" for i in range(7)],
        "age": [f"{i}-{i + 9}" for i in range(0, 90, 10)],
    }
    text = render(age_record(groups=groups))
    assert len(text.encode()) < 6_000_000
    assert "The first 40 of 126 groups are drawn; the table has all." in text


def test_every_section_is_reached_from_the_contents(result: AuditResult) -> None:
    tags = read(result).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {str(a["href"])[1:] for tag, a in tags if tag == "a" and str(a["href"])[0] == "#"}
    sections = {attrs["id"] for tag, attrs in tags if tag == "section"}
    assert sections <= links <= set(ids)


def test_nothing_outside_is_referred_to(result: AuditResult) -> None:
    for tag, attrs in read(result).tags:
        assert tag not in ("iframe", "img", "object", "embed", "form", "base")
        assert not any(name.startswith("on") or name == "src" for name in attrs)
        assert str(attrs.get("href", "#")).startswith(("#", "data:"))


def test_names_stay_text() -> None:
    reader = read(NAMED)
    for name in NASTY:
        assert " ".join(plain(name).split()) in reader.text[0]
    assert "name <b>x</b>" in reader.text[0]
    assert not [tag for tag, _ in reader.tags if tag == "b"]
    assert not [a for tag, a in reader.tags if tag == "a" and "javascript" in str(a)]
    assert sum(tag == "script" for tag, _ in reader.tags) == 4


def test_embedded_json_cannot_end_its_script() -> None:
    text = render(NAMED)
    for id in ("figure-specs", "audit-json"):
        found = re.search(rf'<script [^>]*id="{id}"[^>]*>(.*?)</script>', text, re.DOTALL)
        assert found
        assert "<" not in found[1]
        json.loads(found[1])


def test_embedded_record_is_the_record(result: AuditResult) -> None:
    embedded = read(result).scripts["audit-json"]
    assert AuditResult.model_validate_json(embedded) == result


def test_a_large_record_is_embedded_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_html, "PLAIN_JSON_BYTES", 10)
    packed = base64.b64decode(read(EXPRESSION).scripts["audit-json"])
    assert gzip.decompress(packed).decode() == EXPRESSION.to_json()


def test_figures_are_valid_and_each_has_a_place_and_a_table(result: AuditResult) -> None:
    reader = read(result)
    specs = json.loads(reader.scripts["figure-specs"])
    plots = {a["id"]: a for _, a in reader.tags if a.get("class") == "plot"}
    assert set(specs) == set(plots)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in plots.values())
    tables = {attrs["id"] for tag, attrs in reader.tags if tag == "table"}
    figures = {str(attrs["id"]) for tag, attrs in reader.tags if tag == "figure"}
    assert {id.removesuffix("-figure") + "-table" for id in figures} <= tables
    for spec in specs.values():
        go.Figure(spec)


def test_no_plotly_text_carries_markup() -> None:
    for spec in json.loads(read(NAMED).scripts["figure-specs"]).values():
        assert "<" not in json.dumps(spec)


def test_every_note_is_there_in_words(result: AuditResult) -> None:
    text = read(result).text[0]
    notes = {row.note for row in (*result.metrics, *result.gaps) if row.note}
    assert notes
    for note in notes:
        assert note_words(note) in text
        assert NOTES[note] in text


def test_a_value_that_does_not_exist_is_a_dash() -> None:
    row = next(r for r in AGE.metrics if r.value is None and len(r.group) == 2)
    page_text = render(AGE)
    assert re.search(r">—<sup>[a-z]</sup>", page_text)
    assert row.note == "below_min_n"
    assert ">None<" not in page_text
    assert "nan" not in read(AGE).text[0].lower().split()


def test_warnings_are_told_gravest_first() -> None:
    text = read(AGE).text[0]
    codes = ["failures", "perceived_attribute", "small_groups"]
    places = [text.index(WARNING_CODES[code]) for code in codes]
    assert places == sorted(places)


def test_simulated_faces_are_announced() -> None:
    simulated = read(age_record(simulated=True))
    assert "Simulated faces. Nothing here describes real people." in simulated.text[0]
    assert "Simulated faces. Face age audit" in simulated.text[0]
    assert "Simulated faces." not in read(AGE).text[0]


def test_scorecard_says_who_how_much_and_how_sure() -> None:
    text = render(AGE)
    table = text[text.index('<table id="verdicts"') :].split("</table>")[0]
    row = next(line for line in table.split("<tr>") if ">gender <span" in line)
    gap = next(g for g in AGE.gaps if g.kind == "worst_minus_best" and g.attributes == ["gender"])
    assert gap.a
    assert gap.value is not None
    assert f'data-label="worst">{gap.a["gender"]} <span' in row
    assert f"{gap.value:.2f} years [" in row
    assert '<span class="badge gap">gap</span>' in row
    assert "margin\u00a0±0.50\u00a0years" in row
    assert "labels: as perceived by somebody else" in row


def test_without_a_margin_there_is_no_verdict_and_never_an_acquittal() -> None:
    text = read(EXPRESSION).text[0]
    assert "No margin was stated, so whether a difference matters is not judged." in text
    assert "no verdict no margin was stated" in text
    for record in (AGE, EXPRESSION):
        assert "no bias" not in read(record).text[0].lower()
        assert "unfair" not in read(record).text[0].lower()


def test_groups_of_age_say_regression_to_the_mean() -> None:
    table = render(AGE).split('<table id="verdicts"')[1].split("</table>")[0]
    row = next(line for line in table.split("<tr>") if ">age <span" in line)
    assert "partly regression to the mean" in row


def test_sections_after_the_first_screen_are_folded_and_say_what_is_inside() -> None:
    text = render(AGE)
    folded = re.findall(r'<details class="part">\s*<summary><h2 id="([a-z-]+)-title">', text)
    assert {"groups", "gaps", "methods", "provenance"} <= {*folded}
    assert not {"scorecard", "warnings"} & {*folded}
    assert re.search(r"Groups</h2> <span class=\"inside\">\d+ figures, \d+ tables</span>", text)


def test_sections_without_data_are_left_out() -> None:
    titles = read(age_record(curves=[], warnings=[])).text[0]
    assert "Error by age" not in titles
    assert "Confusion" not in titles
    assert "Error by age" in read(AGE).text[0]
    assert "Confusion" in read(EXPRESSION).text[0]


def test_a_record_without_any_value_still_has_a_page() -> None:
    empty = [
        row.model_copy(update={"value": None, "low": None, "high": None, "note": "empty_group"})
        for row in AGE.metrics
    ]
    bare = AGE.model_copy(update={"metrics": empty, "gaps": [], "curves": []})
    assert "Nothing could be computed" in read(bare).text[0]
    assert html.escape(NOTES["empty_group"]) in render(bare)


def test_metric_definitions_are_printed() -> None:
    text = read(AGE).text[0]
    assert all(spec.definition in text for spec in AGE.spec.metrics.values())


def test_write_report(tmp_path: Path) -> None:
    write_report(AGE, tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_text(encoding="utf-8") == render(AGE)


def test_what_was_not_tested_is_listed_with_its_reason() -> None:
    text = render(AGE)
    section = text[text.index('<section id="untested"') :].split("</section>")[0]
    assert NOTES["below_min_n"] in section
    assert "female · East Asian" in section


def test_differences_of_too_few_persons_are_not_drawn_alone() -> None:
    untested = [gap.model_copy(update={"note": "below_min_n", "verdict": None}) for gap in AGE.gaps]
    text = render(AGE.model_copy(update={"gaps": untested}))
    assert 'id="gaps-0-figure"' not in text
    assert 'id="gaps-0-all"' in text


def test_spreads_are_not_listed_as_untested_for_what_no_spread_has() -> None:
    """They have no interval by their nature; without a value they are listed."""
    for value, note in ((0.3, "biased_extreme"), (None, "zero_denominator")):
        gaps = [
            gap.model_copy(update={"value": value, "note": note})
            if gap.kind == "sd_between"
            else gap
            for gap in AGE.gaps
        ]
        text = render(AGE.model_copy(update={"gaps": gaps}))
        section = text[text.index('<section id="untested"') :].split("</section>")[0]
        assert (NOTES[note] in section) == (value is None)
