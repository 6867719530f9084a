"""A record of any kind in every format: what is in the files, and what keeps them out."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit.compare import compare
from audit.errors import InputError
from audit.recalibration.run import Recalibration
from reports import html as page_html
from reports.card import model_card
from reports.html import html_of, plotly_file
from reports.kinds import KINDS, read_any
from reports.markdown import markdown
from reports.page import page_of
from reports.sheet import csv_text
from reports.write import write_formats
from tests.reports.comparisons import tables
from tests.reports.records import GENDERS, NASTY, age_record, expression_record

RECALIBRATION = Recalibration(
    task="age", method="conformal", definition="d", source="s", fit_share=0.5, seed=0, n_fit=40,
    n_subjects_fit=20, n_audit=41, parameters={"<b>width</b>": 2.5}, remarks=["few people"],
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One record of each kind that is quickly made."""
    place = tmp_path_factory.mktemp("records")
    age_record(groups={"tone": ["=1+1", "10", "9"]}).write(place / "audit.json")
    runs = tables(("x", "y"), ("old", "new"))
    compare(runs, by=["group"], n_boot=0, min_n=10).write(place / "comparison.json")
    RECALIBRATION.write(place / "recalibration.json")
    return place


def written(folder: Path, name: str, formats: str, plotly: Any = "inline") -> list[Path]:
    source = folder / f"{name}.json"
    kind, record = read_any(source)
    target = folder / f"{name}-{plotly}.html"
    return write_formats(kind, record, source, target, formats.split(","), plotly)


@pytest.mark.parametrize("name", ["audit", "comparison", "recalibration"])
def test_every_kind_has_page_markdown_and_tables(folder: Path, name: str) -> None:
    files = written(folder, name, "html,md,csv", "none")
    again = [path.read_bytes() for path in files]
    assert written(folder, name, "html,md,csv", "none") == files
    assert [path.read_bytes() for path in files] == again
    endings = [path.name.removeprefix(f"{name}-none") for path in files]
    assert endings[:2] == [".html", ".md"]
    assert all(re.fullmatch(r"\.[a-z]+\.csv", ending) for ending in endings[2:])
    assert name == "recalibration" or len(endings) > 3
    for path in files[2:]:
        assert len(pd.read_csv(path)) > 0


def test_cells_that_a_spreadsheet_would_compute_are_texts() -> None:
    names = ["=1+1", "+x", "-y", "@z", "\tq", "a=b", "007", None]
    frame = pd.DataFrame({"=head": names, "value": [-1.5, 2, 3, 4, 5, 6, 7, None]})
    rows = list(csv.reader(io.StringIO(csv_text(frame))))
    assert rows[0] == ["'=head", "value"]
    found = [row[0] for row in rows[1:]]
    assert found == ["'=1+1", "'+x", "'-y", "'@z", "'\tq", "a=b", "007", ""]
    assert rows[1][1] == "-1.5"


def test_tables_of_an_audit_hold_every_row(folder: Path) -> None:
    files = {path.name.split(".")[1]: path for path in written(folder, "audit", "csv")}
    _, record = read_any(folder / "audit.json")
    for table in ("metrics", "gaps", "curves"):
        assert len(pd.read_csv(files[table])) == len(getattr(record, table))
    assert "'=1+1" in files["gaps"].read_text(encoding="utf-8")


def test_the_card_is_yaml_and_markdown_of_the_same_numbers(folder: Path) -> None:
    (path,) = written(folder, "audit", "card")
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    found = {key: json.loads(value) for key, _, value in (
        line.partition(": ") for line in head.splitlines())}  # fmt: skip
    (model,) = found["model-index"]
    _, record = read_any(folder / "audit.json")
    metrics = {m["type"]: m["value"] for m in model["results"][0]["metrics"]}
    assert metrics["mae"] == next(r.value for r in record.metrics if r.metric == "mae")
    assert "## Limits" in body
    with pytest.raises(InputError, match="--format card: is made from the audit of a model"):
        written(folder, "comparison", "card")


@pytest.mark.parametrize("text", [*NASTY, "x\N{GRINNING FACE}\x7f\u2028\\ud83d", 'a: "b" # c'])
def test_the_head_of_a_card_is_yaml_that_says_the_name(text: str) -> None:
    record = age_record()
    named = record.model_copy(update={"run": record.run.model_copy(update={"model": text})})
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    head = yaml.safe_load(model_card(named).split("---\n", 2)[1])
    assert head["model-index"][0]["name"] == text


def test_markdown_carries_no_markup_of_the_record() -> None:
    text = markdown(page_of(expression_record(groups={"n<b>": [*NASTY], "gender": GENDERS})))
    assert "<" not in text.replace("<details>", "")
    assert "](" not in text
    assert "## Scorecard" in text
    assert "## Groups" not in text


def test_a_shared_library_makes_pages_small(folder: Path) -> None:
    (path,) = written(folder, "audit", "html", "directory")
    name, library = plotly_file()
    assert (folder / name).read_text(encoding="utf-8") == library
    text = path.read_text(encoding="utf-8")
    assert f'<script src="{name}"></script>' in text
    assert 'href="audit.json" download' in text
    assert len(text) < 500_000


def test_a_large_page_is_cut_and_says_so() -> None:
    groups = {
        "gender": ["f", "m"],
        "race": [f"race {i}" for i in range(7)],
        "age": [f"{i}-{i + 9}" for i in range(0, 90, 10)],
    }
    page = page_of(age_record(groups=groups))
    text = html_of(page, "directory", "audit.json")
    assert len(text.encode()) < 500_000
    assert "more rows of this table are in the record" in text


def test_the_net_is_asked_only_for_what_its_hash_says() -> None:
    text = html_of(page_of(age_record()), "cdn")
    _, library = plotly_file()
    digest = hashlib.sha256(library.encode()).digest()
    found = re.search(r'src="(https://[^"]+)" integrity="sha256-([^"]+)"', text)
    assert found
    assert page_html.base64.b64decode(found[2]) == digest
    assert f"script-src {page_html._hash(page_html._asset('report.js'))} {page_html.CDN};" in (
        text.replace("&#39;", "'")
    )


def test_without_the_library_figures_are_still_and_have_their_tables() -> None:
    text = html_of(page_of(age_record()), "none")
    assert "plotly" not in text.replace("plotly-source", "").lower().split("<script>")[0]
    assert 'class="plot"' not in text
    assert re.search(r"<figure[^>]*>.*?<svg .*?</svg>.*?<details>\s*<summary>Table:", text, re.S)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is no complete JSON"),
        ("[]", "schema is None, must be that of audit.json"),
        ('{"schema": "hae-audit/policy/1"}', "schema is 'hae-audit/policy/1', must be that of"),
        ('{"schema": "hae-audit/audit/9"}', "use the hae-audit version that wrote it"),
        ('{"schema": "hae-audit/comparison/9"}', "use the hae-audit version that wrote it"),
        ('{"schema": "hae-audit/audit/1"}', "Field required"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(why)):
        read_any(tmp_path / "x.json")


def test_numbers_that_are_null_and_groups_without_a_name_are_shown() -> None:
    base = age_record(groups={"": ["", "b", None]})
    content = base.model_dump(by_alias=True)
    for row in (*content["metrics"], *content["gaps"]):
        row |= {"value": None, "low": None, "high": None, "note": "empty_group"}
    for record in (base, type(base).model_validate(content)):
        text = html_of(KINDS["audit"].page(record), "none")
        assert "(no name)" in text
        assert "(blank)" in text
        assert ">None<" not in text


def test_an_unknown_format_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="--format 'docx': choose of html, md, csv, card, pdf"):
        written(folder, "audit", "html,docx")


@pytest.mark.parametrize(
    ("out", "formats", "told"),
    [
        ("audit.json", "html", "would replace the record"),
        ("./sub/../audit.json", "html", "would replace the record"),
        ("page.md", "html,md", "two formats"),
        ("page.pdf", "md,html,pdf", "two formats"),
    ],
)
def test_no_format_replaces_the_record_or_another(
    folder: Path, out: str, formats: str, told: str
) -> None:
    source = folder / "audit.json"
    before = source.read_bytes()
    (folder / "sub").mkdir(exist_ok=True)
    kind, record = read_any(source)
    with pytest.raises(InputError, match=told):
        write_formats(kind, record, source, folder / out, formats.split(","), "none")
    assert source.read_bytes() == before
    assert not [*folder.glob("page.*")]
