"""``hae-audit report``: every kind of record, and the old page where the new one cannot be."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from tests.cli.running import Command, names_in, refused
from tests.reports.records import age_record


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    age_record(groups={"gender": ["f", "m"]}).write(tmp_path / "a" / "audit.json")
    return tmp_path / "a" / "audit.json"


def test_formats_stand_beside_the_record(hae_audit: Command, audit: Path) -> None:
    done = hae_audit("report", audit, "--format", "html,md,csv,card", "--plotly", "none")
    assert done.returncode == 0, done.stderr
    names = names_in(audit.parent)
    assert {"report.html", "report.md", "report.metrics.csv", "report.card.md"} <= {*names}
    assert Path(done.stdout.splitlines()[0]).name == "report.html"


def test_another_kind_is_called_like_its_record(hae_audit: Command, tmp_path: Path) -> None:
    record = tmp_path / "recalibration.json"
    content = {
        "schema": "hae-audit/recalibration/1", "task": "age", "method": "isotonic",
        "definition": "d", "source": "s", "fit_share": 0.5, "seed": 0, "n_fit": 4,
        "n_subjects_fit": 2, "n_audit": 4, "parameters": {},
    }  # fmt: skip
    record.write_text(json.dumps(content), encoding="utf-8")
    assert hae_audit("report", record, "--plotly", "none").returncode == 0
    assert "recalibration.html" in names_in(tmp_path)
    assert "is for audits" in refused(hae_audit("report", record, "--publish-min", 5))


@pytest.mark.parametrize("content", ["{", '{"schema": "hae-audit/audit/9"}'])
def test_the_old_page_stays_where_the_record_is_bad(
    hae_audit: Command, audit: Path, content: str
) -> None:
    page = audit.with_name("report.html")
    page.write_text("old", encoding="utf-8")
    audit.write_text(content, encoding="utf-8")
    assert str(audit) in refused(hae_audit("report", audit))
    assert page.read_text(encoding="utf-8") == "old"


def test_a_file_in_the_place_of_the_folder_is_refused(hae_audit: Command, audit: Path) -> None:
    audit.with_name("file").write_text("", encoding="utf-8")
    done = hae_audit("report", audit, "--out", audit.with_name("file") / "report.html")
    assert "is a file; give a folder" in refused(done)


def test_a_full_disk_leaves_the_old_page(
    hae_audit: Command, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = audit.with_name("report.html")
    page.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    told = refused(hae_audit("report", audit))
    assert "No space left" in told
    assert "report.html'" in told
    monkeypatch.undo()
    assert page.read_text(encoding="utf-8") == "old"
    assert names_in(audit.parent) == ["audit.json", "report.html"]
