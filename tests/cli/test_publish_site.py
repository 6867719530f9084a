"""``hae-audit publish``: pages on stdout, errors on stderr, 3 where a part failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Command, names_in, refused
from tests.reports.records import age_record


@pytest.fixture
def run(tmp_path: Path) -> Path:
    age_record(groups={"gender": ["f", "m"]}, curves=[]).write(tmp_path / "r" / "audit.json")
    return tmp_path / "r"


def test_a_site_is_made_and_what_failed_is_told(
    hae_audit: Command, run: Path, tmp_path: Path
) -> None:
    done = hae_audit("publish", run, "--site", tmp_path / "site", "--date", "2026-01-31")
    assert done.returncode == 0, done.stderr
    page, index = map(Path, done.stdout.split())
    assert page.exists()
    assert index == tmp_path / "site" / "index.html"
    before = page.read_bytes()
    done = hae_audit("publish", run, tmp_path / "absent", "--site", tmp_path / "site")
    assert done.returncode == 3
    assert "/absent: absent: cannot be read" in done.stderr
    assert page.read_bytes() == before
    assert {"feed.xml", "index.html", "pages", "records", "site.json"} <= {
        *names_in(tmp_path / "site")
    }


def test_bad_places_and_dates_are_refused(hae_audit: Command, run: Path, tmp_path: Path) -> None:
    file = run / "audit.json"
    assert f"--site {file}: " in refused(hae_audit("publish", run, "--site", file))
    bad = hae_audit("publish", run, "--site", tmp_path / "s", "--date", "soon")
    assert "--date soon: is no date" in refused(bad)
    assert "is no folder" in refused(hae_audit("view", file))
