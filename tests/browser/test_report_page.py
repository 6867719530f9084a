"""The report in a real browser: quiet, self-sufficient, accessible, printable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.compare import compare
from audit.result import AuditResult
from reports import html as page_html
from reports.comparison import write_comparison
from reports.format import row_estimate
from reports.generality import write_generality
from reports.lookup import unit
from reports.page import page_of, write_report
from reports.pdf import write_pdf
from tests.audit.frames import distribution_table
from tests.reports.comparisons import tables
from tests.reports.records import AGES, GENDERS, NASTY, Values, age_record, expression_record
from tests.reports.sections_of import audited
from tests.reports.test_generality_page import record as generality_record

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

GROUPS: Values = {"gender": GENDERS, "age": AGES[:3]}
"""Few, as the check of accessibility takes a second for a thousand cells."""
RECORDS: dict[str, Callable[[], AuditResult]] = {
    "age": lambda: age_record(simulated=True, groups=GROUPS),
    "expression": expression_record,
    "names": lambda: expression_record(
        groups={"name <b>x</b>": [*NASTY, "x" * 300], "gender": GENDERS[:1]}
    ),
    "gated": lambda: audited(
        distribution_table(3, 200),
        task="age",
        by=["gender"],
        gates=["18:21"],
        gate_target=0.6,
        margins={"mae": 0.5},
    ),
}


PAGES = [*RECORDS, "comparison", "comparison of names", "grid"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for name, record in RECORDS.items():
        write_report(record(), folder / f"{name}.html")
    for name, groups in (
        ("comparison", ("x", "y", "z")),
        ("comparison of names", tuple(NASTY[:4])),
    ):
        runs = tables(groups, ("resnet50 old", "resnet50 new"))
        found = compare(runs, by=["group"], n_boot=0, min_n=10)
        write_comparison(found, folder / f"{name}.html")
    write_generality(generality_record(), folder / "grid.html")
    return {name: folder / f"{name}.html" for name in PAGES}


def opened(browser: Any, path: Path, **context: Any) -> tuple[Any, list[str], list[str]]:
    """The page with its figures drawn, what it wrote to the console, what it asked for."""
    page = browser.new_context(**context).new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri(), timeout=120_000)
    page.wait_for_selector("html[data-figures=drawn]", timeout=60_000)
    return page, said, asked


def unfolded(page: Any) -> None:
    """Everything open and every figure drawn."""
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    count = page.locator(".plot").count()
    page.locator(".plot.js-plotly-plot").nth(count - 1).wait_for(timeout=60_000)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_quiet_alone_and_accessible(
    browser: Any, files: dict[str, Path], name: str, scheme: str
) -> None:
    page, said, asked = opened(browser, files[name], color_scheme=scheme)
    assert said == []
    assert asked == [files[name].as_uri()]
    unfolded(page)
    plots = page.locator(".plot").count()
    assert page.locator(".plot svg.main-svg").count() >= plots > 0
    found = axe.Axe().run(page).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in grave] == []
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 1440])
def test_never_scrolls_sideways(
    browser: Any, files: dict[str, Path], name: str, width: int
) -> None:
    page, _, _ = opened(browser, files[name], viewport={"width": width, "height": 800})
    for unfold in (False, True):
        if unfold:
            unfolded(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("scrollTo(999, 0), scrollX") == 0
    page.context.close()


def test_names_are_shown_as_text_in_figures(browser: Any, files: dict[str, Path]) -> None:
    page, said, _ = opened(browser, files["names"], viewport={"width": 1440, "height": 900})
    unfolded(page)
    labels = page.locator("#groups-0-plot .yaxislayer-above text, #groups-0-plot .ytick text")
    texts = labels.all_text_contents()
    assert any(text.startswith("<script>alert('group')") for text in texts)
    assert any(text.startswith('<a href="javascript') for text in texts)
    assert page.locator(".plot a").count() == 0
    assert page.locator(".plot tspan[style*='bold']").count() == 0
    assert said == []
    page.context.close()


def test_tab_reaches_every_control(browser: Any, files: dict[str, Path]) -> None:
    page, _, _ = opened(browser, files["expression"], viewport={"width": 1440, "height": 900})
    controls = "a[href], button, summary, [tabindex='0']"
    visible = page.evaluate(
        f'[...document.querySelectorAll("{controls}")].filter(e => e.checkVisibility()).length'
    )
    reached = set()
    for _ in range(visible + 5):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                f'[...document.querySelectorAll("{controls}")].indexOf(document.activeElement)'
            )
        )
    assert len(reached - {-1}) == visible
    page.context.close()


def test_keyboard_unfolds_and_sorts(browser: Any, files: dict[str, Path]) -> None:
    page, _, _ = opened(browser, files["expression"])
    for what in ("details.part:has(#groups) > summary", "#groups-1-figure summary"):
        page.locator(what).focus()
        page.keyboard.press("Enter")
    head = page.locator("#groups-1-table thead th", has_text="accuracy").first
    column = head.evaluate("th => th.cellIndex")
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    values = page.locator(f"#groups-1-table tbody tr > :nth-child({column + 1})")
    numbers = [float(text.split()[0]) for text in values.all_text_contents() if text[0] != "—"]
    assert numbers == sorted(numbers)
    page.context.close()


def test_download_is_the_record_and_needs_no_request(
    browser: Any, files: dict[str, Path], tmp_path: Path
) -> None:
    page, said, asked = opened(browser, files["names"], accept_downloads=True)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download audit.json").click()
    waiting.value.save_as(tmp_path / "audit.json")
    assert AuditResult.read(tmp_path / "audit.json") == RECORDS["names"]()
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
    assert said == []
    page.context.close()


def test_figures_follow_the_theme(browser: Any, files: dict[str, Path]) -> None:
    page, _, _ = opened(browser, files["age"], color_scheme="light")
    unfolded(page)
    tick = ".plot .xtick text"
    light = page.locator(tick).first.evaluate("e => getComputedStyle(e).fill")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "([tick, old]) => getComputedStyle(document.querySelector(tick)).fill !== old",
        arg=[tick, light],
    )
    page.context.close()


def test_print_shows_every_table_on_light_paper(browser: Any, files: dict[str, Path]) -> None:
    page, said, _ = opened(browser, files["expression"], color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hidden = page.evaluate(
        "[...document.querySelectorAll('table')].filter(t => t.offsetHeight === 0).length"
    )
    assert hidden == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    widths = page.evaluate("[...document.querySelectorAll('.main-svg')].map(p => p.clientWidth)")
    assert max(widths) <= 660
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert len(page.pdf()) > 50_000
    assert said == []
    page.context.close()


def test_without_scripts_the_tables_remain(browser: Any, files: dict[str, Path]) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(files["age"].as_uri())
    page.locator("details.part:has(#groups) > summary").click()
    page.locator("#groups-0-figure summary").click()
    assert page.locator("#groups-0-table").is_visible()
    assert "Scripts are off" in page.locator("noscript").inner_text()
    text = page.locator("main").text_content()
    record = RECORDS["age"]()
    values = {row_estimate(row, unit(record, row.metric)) for row in record.metrics}
    assert len(values) > 50
    assert {value for value in values if value not in text} == set()
    page.context.close()


def test_specs_name_every_plot(browser: Any, files: dict[str, Path]) -> None:
    page, _, _ = opened(browser, files["age"])
    unfolded(page)
    specs = json.loads(page.locator("#figure-specs").text_content())
    drawn = page.evaluate("[...document.querySelectorAll('.plot.js-plotly-plot')].map(p => p.id)")
    assert sorted(specs) == sorted(drawn)
    page.context.close()


def test_a_folded_figure_is_drawn_when_it_is_opened(browser: Any, tmp_path: Path) -> None:
    write_report(age_record(groups={"tone": [str(i) for i in range(10)]}), tmp_path / "r.html")
    page, said, _ = opened(browser, tmp_path / "r.html")
    page.get_by_role("button", name="Unfold all").click()
    fold = page.locator("details.fold", has_text="Mean absolute error by true age: by tone")
    assert fold.locator(".main-svg").count() == 0
    fold.locator("summary").first.click()
    fold.locator(".plot.js-plotly-plot").nth(9).wait_for(timeout=60_000)
    widths = fold.locator(".plot").evaluate_all("found => found.map(p => p.clientWidth)")
    assert min(widths) > 100
    assert said == []
    page.context.close()


def test_many_figures_are_packed_and_still_drawn(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_html, "PLAIN_FIGURES_BYTES", 10)
    write_report(expression_record(), tmp_path / "r.html")
    page, said, _ = opened(browser, tmp_path / "r.html")
    unfolded(page)
    assert page.locator("#figure-specs").get_attribute("data-encoding") == "gzip+base64"
    plots = page.locator(".plot").count()
    assert page.locator(".plot.js-plotly-plot").count() == plots > 0
    assert said == []
    page.context.close()


def test_the_scorecard_fits_one_screen(browser: Any, files: dict[str, Path]) -> None:
    for name in ("age", "expression", "gated"):
        page, _, _ = opened(browser, files[name], viewport={"width": 1440, "height": 900})
        box = page.locator("#scorecard").bounding_box()
        assert box["y"] + box["height"] <= 900, name
        page.context.close()


def test_a_link_unfolds_its_section_without_scripts_too(
    browser: Any, files: dict[str, Path]
) -> None:
    for scripts in (True, False):
        page = browser.new_context(java_script_enabled=scripts).new_page()
        page.goto(files["age"].as_uri())
        page.locator("nav a", has_text="Methods").click()
        page.locator("#definitions").wait_for(state="visible")
        page.context.close()


def test_a_shared_library_draws_from_a_folder(browser: Any, tmp_path: Path) -> None:
    name, library = page_html.plotly_file()
    (tmp_path / name).write_text(library, encoding="utf-8")
    page_text = page_html.html_of(page_of(expression_record()), "directory", "audit.json")
    (tmp_path / "r.html").write_text(page_text, encoding="utf-8")
    page, said, asked = opened(browser, tmp_path / "r.html")
    page.locator("details.part:has(#groups) > summary").click()
    page.locator("#groups-0-plot .main-svg").first.wait_for(timeout=60_000)
    assert said == []
    assert asked == [(tmp_path / file).as_uri() for file in ("r.html", name)]
    page.context.close()


def test_a_page_without_figures_is_quiet(browser: Any, tmp_path: Path) -> None:
    page_text = page_html.html_of(page_of(expression_record()), "none")
    (tmp_path / "r.html").write_text(page_text, encoding="utf-8")
    page, said, _ = opened(browser, tmp_path / "r.html")
    page.locator("details.part:has(#groups) > summary").click()
    drawing = page.locator("svg#groups-0-plot")
    assert drawing.is_visible()
    assert drawing.locator("circle").count() > 0
    assert not page.locator("#groups-0-table").is_visible()
    page.locator("#groups-0-figure summary").click()
    assert page.locator("#groups-0-table").is_visible()
    assert said == []
    page.context.close()


@pytest.mark.usefixtures("browser")
def test_a_page_is_printed_to_a_pdf(tmp_path: Path) -> None:
    write_pdf("<!DOCTYPE html><title>t</title><p>A page.", tmp_path / "deep" / "page.pdf")
    assert (tmp_path / "deep" / "page.pdf").read_bytes().startswith(b"%PDF")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["page.pdf"]
