"""A published site in a real browser: it sorts and filters, is accessible, and asks nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.site.build import publish
from tests.reports.records import NASTY, age_record, expression_record

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

SMALL: dict[str, list[str | None]] = {"gender": ["f", "m"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of one model, another model of a nasty name, and a broken record."""
    place = tmp_path_factory.mktemp("site")
    audits = {
        "one": (age_record(groups=SMALL, curves=[]), "net", 1, "2026-01-01"),
        "two": (age_record(groups=SMALL, curves=[]), "net", 2, "2026-02-01"),
        "three": (expression_record(groups=SMALL), NASTY[0], 3, "2026-03-01"),
    }
    for name, (record, model, seed, date) in audits.items():
        run = record.run.model_copy(update={"model": model, "seed": seed})
        record.model_copy(update={"run": run}).write(place / name / "audit.json")
        publish([place / name], place / "site", date=date)
    (place / "cut").mkdir()
    (place / "cut" / "audit.json").write_text("{", encoding="utf-8")
    publish([place / "cut"], place / "site", date="2026-04-01")
    return place / "site"


def opened(browser: Any, path: Path, **context: Any) -> tuple[Any, list[str], list[str]]:
    page = browser.new_context(**context).new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri(), timeout=120_000)
    page.wait_for_selector("html[data-figures=drawn]", timeout=60_000)
    return page, said, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "trends/*.html"])
def test_quiet_alone_accessible_and_never_sideways(
    browser: Any, site: Path, name: str, scheme: str
) -> None:
    (path,) = site.glob(name)
    page, said, asked = opened(
        browser, path, color_scheme=scheme, viewport={"width": 360, "height": 800}
    )
    assert said == []
    assert all(address.startswith(site.as_uri()) for address in asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    found = axe.Axe().run(page).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in grave] == []
    page.context.close()


def test_filter_and_sort_and_follow(browser: Any, site: Path) -> None:
    page, said, _ = opened(browser, site / "index.html", viewport={"width": 1440, "height": 900})
    rows = page.locator("#records-table tbody tr")
    dates = page.locator("#records-table tbody tr td:first-child")
    assert dates.all_text_contents() == ["2026-03-01 three", "2026-02-01 two", "2026-01-01 one"]
    page.get_by_role("searchbox", name="model").fill("NET")
    assert rows.locator("visible=true").count() == 2
    assert page.locator(".filters output").first.inner_text() == "2 of 3"
    page.get_by_role("searchbox", name="published").fill("02-01")
    assert rows.locator("visible=true").count() == 1
    page.get_by_role("searchbox", name="model").fill("")
    page.get_by_role("searchbox", name="published").fill("")
    page.get_by_role("button", name="published").press("Enter")
    assert dates.all_text_contents() == ["2026-01-01 one", "2026-02-01 two", "2026-03-01 three"]
    assert page.get_by_text(NASTY[0], exact=True).count() == 1
    assert "cut/audit.json" in page.locator("#broken-table").inner_text()
    page.locator("#trends-table a").click()
    page.wait_for_selector("html[data-figures=drawn]")
    assert page.locator("#trend-table tbody tr").count() == 2
    page.get_by_role("link", name="All records").click()
    assert page.url == (site / "index.html").as_uri()
    assert said == []
    page.context.close()
