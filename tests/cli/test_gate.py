"""``gate`` and ``diff`` as a person or a CI job runs them: exit codes, files, messages."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from audit.result import AuditResult
from tests.audit.gate_records import by_gender, metric, record
from tests.cli.running import FEW, Command, names_in, process, refused

RULE = '[[rules]]\nmetric = "mae"\nattribute = "gender"\nmargin = {}\n'


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A record with a gap of 1 year, an older one with 0.6, policies that pass and fail."""
    by_gender("mae", 5.0, 4.0).write(tmp_path / "audit.json")
    by_gender("mae", 4.6, 4.0).write(tmp_path / "old.json")
    write(tmp_path, "pass.toml", RULE.format(2))
    write(tmp_path, "open.toml", RULE.format(1))
    write(tmp_path, "fail.toml", RULE.format(0.5))
    return tmp_path


@pytest.mark.parametrize(
    ("policy", "code", "tag", "last"),
    [
        ("pass.toml", 0, "PASS", "gate passed: 1 finding"),
        ("open.toml", 1, "FAIL", "gate failed: 1 finding: 1 failed"),
        ("fail.toml", 1, "FAIL", "gate failed: 1 finding: 1 failed"),
    ],
)
def test_exit_codes(
    hae_audit: Command, ready: Path, policy: str, code: int, tag: str, last: str
) -> None:
    done = hae_audit("gate", "audit.json", "--policy", policy)
    assert (done.returncode, done.stderr) == (code, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{tag}  mae by gender: largest gap, f against m: 1.00 years [")
    assert lines[-1] == last
    assert "\x1b" not in done.stdout
    found = json.loads(hae_audit("gate", "audit.json", "--policy", policy, "--json").stdout)
    assert found["passed"] == (code == 0)


def test_what_prints_a_failure_never_ends_with_0(hae_audit: Command, ready: Path) -> None:
    """Over margins and what inconclusive means: FAIL is printed exactly where the code is 1."""
    for margin in (0.5, 0.9, 1, 1.1, 2):
        for open_ in ("fail", "warn", "pass"):
            write(ready, "p.toml", RULE.format(margin) + f'inconclusive = "{open_}"\n')
            done = hae_audit("gate", "audit.json", "--policy", "p.toml")
            assert done.returncode == ("FAIL" in done.stdout)


def test_files_of_a_failed_gate_are_there(hae_audit: Command, ready: Path) -> None:
    files = ("--junit", "ci/j.xml", "--sarif", "ci/s.sarif", "--markdown", "ci/m.md")
    done = hae_audit("gate", "audit.json", "--policy", "fail.toml", *files)
    assert done.returncode == 1
    assert names_in(ready / "ci") == ["j.xml", "m.md", "s.sarif"]
    assert ET.parse(ready / "ci/j.xml").getroot().attrib["failures"] == "1"
    content = json.loads((ready / "ci/s.sarif").read_text(encoding="utf-8"))
    assert content["runs"][0]["results"][0]["level"] == "error"
    before = [(ready / "ci" / name).read_bytes() for name in names_in(ready / "ci")]
    hae_audit("gate", "audit.json", "--policy", "fail.toml", *files)
    assert [(ready / "ci" / name).read_bytes() for name in names_in(ready / "ci")] == before


def test_beside_a_baseline(hae_audit: Command, ready: Path) -> None:
    done = hae_audit("gate", "audit.json", "--policy", "fail.toml", "--baseline", "old.json")
    assert done.returncode == 1
    assert "worse than the baseline" in done.stdout
    done = hae_audit("gate", "audit.json", "--policy", "fail.toml", "--baseline", "audit.json")
    assert done.returncode == 0
    assert done.stdout.startswith("WARN  mae by gender")
    assert "as if of other faces (predictions.parquet does not lie beside both" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.json", "--policy", "pass.toml"], "none.json: cannot be read"),
        (["audit.json", "--policy", "none.toml"], "none.toml: cannot be read"),
        (["pass.toml", "--policy", "pass.toml"], "pass.toml line 1: is no complete JSON"),
        (["audit.json", "--policy", "audit.json"], "audit.json: is no TOML"),
        (["foreign.json", "--policy", "pass.toml"], "foreign.json: schema is None"),
        (["future.json", "--policy", "pass.toml"], "schema is 'hae-audit/audit/0'"),
        (["comparison.json", "--policy", "pass.toml"], "schema is 'hae-audit/comparison/1'"),
        (["audit.json", "--policy", "empty.toml"], "empty.toml: has no rule, so nothing could"),
        (
            ["audit.json", "--policy", "metric.toml"],
            "metric mea: no such metric in this audit",
        ),
        (["audit.json", "--policy", "by.toml"], "attribute gendre: no such attribute in this aud"),
        (["audit.json", "--policy", "age.toml"], "attribute age: no such attribute in this audit"),
        (["audit.json", "--policy", "pass.toml", "--baseline", "none.json"], "none.json: cannot"),
        (["audit.json", "--policy", "pass.toml", "--junit", "audit.json"], "is audit.json itself"),
        (["audit.json", "--policy", "pass.toml", "--sarif", "./pass.toml"], "is pass.toml itself"),
        (["audit.json", "--policy", "pass.toml", "--markdown", "."], "--markdown .: is a folder"),
        (
            ["audit.json", "--policy", "pass.toml", "--junit", "x", "--sarif", "x"],
            "--sarif x: is --junit x itself; give another file",
        ),
    ],
)
def test_bad_input_is_one_line(
    hae_audit: Command, ready: Path, arguments: list[str], message: str
) -> None:
    write(ready, "empty.toml", "")
    write(ready, "foreign.json", '{"results": []}')
    write(ready, "future.json", '{"schema": "hae-audit/audit/0"}')
    write(ready, "comparison.json", '{"schema": "hae-audit/comparison/1"}')
    write(ready, "metric.toml", RULE.format(1).replace("mae", "mea"))
    write(ready, "by.toml", RULE.format(1).replace("gender", "gendre"))
    write(ready, "age.toml", RULE.format(1).replace("gender", "age"))
    before = names_in(ready)
    assert message in refused(hae_audit("gate", *arguments))
    assert names_in(ready) == before


@pytest.mark.parametrize(
    "arguments",
    [["gate"], ["gate", "audit.json"], ["gate", "audit.json", "--polcy", "p.toml"], ["diff", "a"]],
)
def test_wrong_usage(hae_audit: Command, ready: Path, arguments: list[str]) -> None:
    done = hae_audit(*arguments)
    assert done.returncode == 2
    assert "Usage: hae-audit" in done.stderr


def test_a_rule_that_matches_nothing_fails(hae_audit: Command, ready: Path) -> None:
    write(ready, "none.toml", RULE.format(1).replace("gender", "race") + 'inconclusive = "pass"')
    done = hae_audit("gate", "audit.json", "--policy", "none.toml")
    assert done.returncode == 1
    assert "nothing was judged: the record has no such row for mae" in done.stdout


def test_an_attribute_with_a_hostile_name_stays_on_its_line(
    hae_audit: Command, tmp_path: Path
) -> None:
    record([metric("mae", {"gender": "a\nPASS  all\x1b[2J"}, 6.0)]).write(tmp_path / "audit.json")
    write(tmp_path, "p.toml", '[[rules]]\nmetric = "mae"\nattribute = "gender"\nlimit = 5\n')
    done = hae_audit("gate", "audit.json", "--policy", "p.toml")
    assert done.returncode == 1
    assert [text[:4] for text in done.stdout.splitlines()] == ["FAIL", "note", "gate"]
    assert "\x1b" not in done.stdout


def test_a_process_of_its_own_ends_with_1(ready: Path) -> None:
    done = process("gate", "audit.json", "--policy", "fail.toml", cwd=ready)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert done.stdout.startswith("FAIL  ")


def test_a_terminal_without_the_signs_says_the_same(ready: Path) -> None:
    plain = {"PYTHONIOENCODING": "ascii"}
    record([metric("bias", {"gender": "שלום"}, -6.0)]).write(ready / "b.json")
    write(ready, "b.toml", '[[rules]]\nmetric = "bias"\nattribute = "gender"\nlimit = 1\n')
    done = process("gate", "b.json", "--policy", "b.toml", cwd=ready, environment=plain)
    assert (done.returncode, done.stderr) == (1, "")
    assert "?6.00 years" in done.stdout
    done = process("gate", "b.json", "--policy", "b.toml", "--json", cwd=ready, environment=plain)
    assert json.loads(done.stdout)["findings"][0]["a"] == {"gender": "שלום"}


def test_diff(hae_audit: Command, ready: Path) -> None:
    done = hae_audit("diff", "old.json", "audit.json")
    assert done.returncode == 0
    assert "metric   mae, f: 4.600 -> 5.000 (intervals apart)" in done.stdout
    assert "Whether two intervals overlap is not a test" in done.stdout
    found = json.loads(hae_audit("diff", "old.json", "audit.json", "--json").stdout)
    assert (found["schema"], found["same"], len(found["metrics"])) == (
        "hae-audit/diff/1",
        False,
        2,
    )
    done = hae_audit("diff", "audit.json", "audit.json")
    assert (done.returncode, done.stdout) == (0, "the records say the same\n")
    assert "old.jsn: cannot be read" in refused(hae_audit("diff", "old.jsn", "audit.json"))


@pytest.mark.parametrize("what", ["policy", "gate", "diff"])
def test_schemas(hae_audit: Command, what: str) -> None:
    content = json.loads(hae_audit("schema", what).stdout)
    assert "properties" in content


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(400)],
            "age": [20 + i % 40 for i in range(400)],
            "age_pred": [20 + i % 40 + (7 + i % 3 if i % 2 else -1 - i % 3) for i in range(400)],
            "gender": ["woman" if i % 2 else "man" for i in range(400)],
            "site": ["x" if i % 3 else "y" for i in range(400)],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_evaluate_under_a_policy(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    rules = RULE.format(1) + RULE.format(9).replace("gender", "gender,site")
    write(tmp_path, "p.toml", f'name = "release"\ndate = 2026-01-31\n{rules}')
    done = hae_audit("evaluate", "--predictions", table, "--policy", "p.toml", *FEW, "--out", "o")
    assert done.returncode == 0, done.stderr
    result = AuditResult.read(tmp_path / "o/audit.json")
    info = result.spec.policy
    assert info is not None
    assert (info.name, str(info.date), len(info.sha256)) == ("release", "2026-01-31", 64)
    assert result.spec.primary == ["mae"]
    # gender and age are audited where --by is absent; the policy adds its own combination
    assert result.spec.combinations == [["gender"], ["age"], ["gender", "site"]]
    rows = [row for row in result.gaps if row.metric == "mae" and row.kind == "difference"]
    margins = {",".join(row.attributes): row.margin for row in rows}
    assert margins == {"gender": 1.0, "age": None, "gender,site": 9.0}
    done = hae_audit("gate", "o/audit.json", "--policy", "p.toml")
    assert "without a policy" not in done.stdout
    write(tmp_path, "other.toml", rules)
    done = hae_audit("gate", "o/audit.json", "--policy", "other.toml")
    assert "note: the audit was made under another policy than this one" in done.stdout


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (RULE.format(1).replace("mae", "mea"), (), "metric mea: no such metric in this audit"),
        (RULE.format(1).replace("gender", "gendre"), (), "attribute gendre: no such attribute in"),
        (RULE.format(1), ("--margin", "mae=1"), "--margin and --policy p.toml: both state"),
        (RULE.format(1), ("--primary", "mae"), "--primary and --policy p.toml: both state"),
        ("", (), "p.toml: has no rule"),
    ],
)
def test_evaluate_refuses_a_bad_policy(
    hae_audit: Command, tmp_path: Path, table: Path, text: str, more: tuple[str, ...], message: str
) -> None:
    write(tmp_path, "p.toml", text)
    done = hae_audit("evaluate", "--predictions", table, "--policy", "p.toml", *FEW, *more)
    assert message in refused(done)
    assert not (tmp_path / "runs").exists()
