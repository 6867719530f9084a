"""A site of records: what is published stays, what is broken is told, what changes is followed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from audit.errors import InputError
from audit.result import AuditResult
from reports.site.build import Published, publish, write_site
from reports.site.feed import atom
from reports.site.record import Site
from reports.site.view import serve
from tests.reports.records import NASTY, age_record

ATOM = "{http://www.w3.org/2005/Atom}"
SMALL = age_record(groups={"gender": ["f", "m"]}, curves=[])


def run(folder: Path, name: str, seed: int, model: str = "net") -> Path:
    info = SMALL.run.model_copy(update={"seed": seed, "model": model})
    SMALL.model_copy(update={"run": info}).write(folder / name / "audit.json")
    return folder / name


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def done(place: Path) -> Published:
    """Two releases of a model, and three records that cannot be published."""
    (place / "cut").mkdir()
    (place / "cut" / "audit.json").write_text('{"schema": "hae-audit/audit/1",', encoding="utf-8")
    (place / "empty").mkdir()
    (place / "foreign.json").write_text('{"a": 1}', encoding="utf-8")
    runs = [run(place, "v1", 1), place / "cut", run(place, "v2", 2), place / "empty",
            place / "foreign.json"]  # fmt: skip
    return publish(runs, place / "out", date="2026-01-02", url="https://example.org/a/")


def test_the_rest_is_built_where_records_are_broken(done: Published, place: Path) -> None:
    assert [entry.release for entry in done.added] == ["v1", "v2"]
    assert [one.name for one in done.failed] == [
        "cut/audit.json", "empty/", f"{place.name}/foreign.json",
    ]  # fmt: skip
    index = (place / "out" / "index.html").read_text(encoding="utf-8")
    assert "is no complete JSON" in index
    assert "schema is None" in index
    assert str(place) not in index


def test_records_are_offered_as_they_were_under_their_hash(done: Published, place: Path) -> None:
    for entry, name in zip(done.site.entries, ("v1", "v2"), strict=True):
        content = (place / name / "audit.json").read_bytes()
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert (place / "out" / "records" / f"{entry.id}.json").read_bytes() == content
        index = (place / "out" / "index.html").read_text(encoding="utf-8")
        assert entry.sha256 in index
        assert f'href="records/{entry.id}.json"' in index


def test_every_link_of_the_site_leads_somewhere(done: Published, place: Path) -> None:
    out = place / "out"
    pages = list(out.rglob("*.html"))
    assert len(pages) == 2 + len(done.added)
    for page in pages:
        found = re.findall(r'(?:href|src)="([^"#][^"]*)"', page.read_text(encoding="utf-8"))
        for link in found:
            assert link == "data:," or (page.parent / link).exists(), (page, link)


def test_a_trend_reads_its_numbers_from_the_records(done: Published, place: Path) -> None:
    first = done.site.entries[0]
    text = (place / "out" / "trends" / f"{first.id}.html").read_text(encoding="utf-8")
    everyone = next(row for row in SMALL.metrics if row.metric == "mae" and not row.group)
    assert everyone.value is not None
    assert f"{everyone.value:.2f} years [" in text
    assert "largest gap by gender" in text
    assert '<a href="../pages/' in text


def test_the_feed_is_atom_with_addresses(done: Published) -> None:
    feed = ElementTree.fromstring(atom(done.site))
    entries = feed.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert ids == [f"urn:sha256:{entry.sha256}" for entry in reversed(done.site.entries)]
    links = [link.get("href") for entry in entries for link in entry.findall(f"{ATOM}link")]
    assert all(str(link).startswith("https://example.org/a/pages/") for link in links)
    assert feed.findtext(f"{ATOM}updated") == "2026-01-02T00:00:00Z"


def test_a_new_run_leaves_old_pages_byte_for_byte(
    done: Published, place: Path, tmp_path: Path
) -> None:
    before = files(place / "out")
    again = publish([place / "v1", run(tmp_path, "v3", 3)], place / "out", date="2026-02-01")
    assert [entry.release for entry in again.added] == ["v3"]
    assert again.site.title == done.site.title
    assert again.site.url == done.site.url
    after = files(place / "out")
    for name in before:
        if name.startswith(("pages/", "records/", "plotly")):
            assert after[name] == before[name], name
    assert len(again.site.entries) == 3
    assert again.site.broken == done.site.broken
    write_site(Site.read(place / "out"), place / "out")
    assert files(place / "out") == after


def test_a_mended_record_is_no_longer_broken(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "audit.json").write_text("{", encoding="utf-8")
    assert publish([folder], tmp_path / "out", date="2026-01-01").site.broken
    run(tmp_path, "r", 1)
    assert not publish([folder], tmp_path / "out", date="2026-01-02").site.broken


def test_names_stay_text_on_every_page(tmp_path: Path) -> None:
    runs = [run(tmp_path, f"r{i}", i, name) for i, name in enumerate([*NASTY, NASTY[0]])]
    publish(runs, tmp_path / "out", date="2026-01-01", title="<b>title</b>")
    for page in (tmp_path / "out").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<b>" not in text
        assert "<script>alert" not in text
        assert 'href="javascript' not in text
    ElementTree.fromstring((tmp_path / "out" / "feed.xml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site in Chinese of two releases and a broken record, which the second call adds to."""
    place = tmp_path_factory.mktemp("chinese")
    (place / "cut").mkdir()
    (place / "cut" / "audit.json").write_text("{", encoding="utf-8")
    publish([run(place, "v1", 1)], place / "out", date="2026-01-02", language="zh")
    publish([run(place, "v2", 2), place / "cut"], place / "out", date="2026-01-03")
    return place / "out"


def test_a_site_keeps_its_language_in_all_that_it_says(chinese: Path) -> None:
    site = Site.read(chinese)
    assert site.language == "zh"
    pages = list(chinese.rglob("*.html"))
    assert len(pages) == 4
    for page in pages:
        assert '<html lang="zh-Hans">' in page.read_text(encoding="utf-8"), page
    index = (chinese / "index.html").read_text(encoding="utf-8")
    for words in (
        "人脸模型的审计",
        "记录，最新在前",
        "所有人",
        "未发布",
        "2 个版本",
        "<h1>审计</h1>",
    ):
        assert words in index, words
    for words in ("Audits of face models", "everyone", "no verdict", "Not published", ">releases"):
        assert words not in index, words
    assert "is no complete JSON" in index  # errors stay as they are told on the command line
    trend = next((chinese / "trends").iterdir()).read_text(encoding="utf-8")
    for words in ("各版本的趋势", "按 gender 划分的最大差距", "各版本的平均绝对误差"):
        assert words in trend, words
    for entry in site.entries:
        assert re.search("[\u4e00-\u9fff]", entry.answer), entry.answer
        assert entry.answer in index


def test_a_feed_states_its_language(chinese: Path, done: Published) -> None:
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    feed = ElementTree.fromstring((chinese / "feed.xml").read_text(encoding="utf-8"))
    assert feed.get(lang) == "zh-Hans"
    assert feed.findtext(f"{ATOM}title") == "审计"
    titles = [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")]
    assert titles == [f"net，数据 {SMALL.run.data}（审计，{name}）" for name in ("v2", "v1")]
    assert ElementTree.fromstring(atom(done.site)).get(lang) == "en"


def test_a_site_that_changes_its_language_keeps_its_old_pages(
    done: Published, place: Path, tmp_path: Path
) -> None:
    site = tmp_path / "out"
    shutil.copytree(place / "out", site)
    again = publish([run(tmp_path, "v4", 4)], site, date="2026-02-01", language="zh")
    for entry in done.site.entries:
        kept = (site / "pages" / f"{entry.id}.html").read_bytes()
        assert kept == (place / "out" / "pages" / f"{entry.id}.html").read_bytes()
    made = (site / "pages" / f"{again.added[0].id}.html").read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in made
    assert '<html lang="zh-Hans">' in (site / "index.html").read_text(encoding="utf-8")
    write_site(Site.read(site), site)
    assert '<html lang="zh-Hans">' in (site / "index.html").read_text(encoding="utf-8")


def test_a_site_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "site.json").write_text('{"schema": "hae-audit/site/9"}', encoding="utf-8")
    with pytest.raises(InputError, match="use the hae-audit version that wrote it"):
        publish([run(tmp_path, "r", 1)], tmp_path, date="2026-01-01")
    assert json.loads((tmp_path / "site.json").read_text())["schema"] == "hae-audit/site/9"


def test_the_view_is_local_and_follows_changed_records(tmp_path: Path) -> None:
    run(tmp_path, "r", 1, "first net")
    with serve(tmp_path, 0, "zh") as server:
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def index(name: str = "127.0.0.1") -> str:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/", headers={"Host": f"{name}:{port}"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())

        shown = index()
        assert "first net" in shown
        assert '<html lang="zh-Hans">' in shown
        run(tmp_path, "r", 2, "second network")
        changed = index()
        assert "second network" in changed
        assert "first net<" not in changed
        assert '<html lang="zh-Hans">' in changed
        with pytest.raises(urllib.error.HTTPError, match="403"):
            index("evil.example")
        server.shutdown()
        thread.join()
    assert AuditResult.read(tmp_path / "r" / "audit.json").run.model == "second network"
    assert not (tmp_path / "site.json").exists()
