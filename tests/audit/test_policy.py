"""Policies: what a file may say, what is refused and how, and which rows a margin holds for."""

from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from audit.declared import Names, check_policy, read_policy
from audit.errors import InputError
from audit.policy import Policy, PolicyInfo
from audit.rows import AggregateGap, PairGap
from tests.audit.gate_records import gap, policy, rule

FULL = """
name = "release"
date = 2026-01-31
primary = ["mae"]

[[rules]]
name = "age error"
metric = "mae"
attribute = ["gender", "gender, race"]
margin = 0.5
min_persons = 50
small_groups = "skip"
inconclusive = "warn"
failure = "excluded"
worse_by = 0.1

[[rules]]
metric = "recall"
class = "sad"
attribute = "race"
kind = "ratio"
margin = 1.25

[[rules]]
metric = "cs5"
limit = 0.6
"""


def test_a_full_policy(tmp_path: Path) -> None:
    declared = policy(tmp_path, FULL)
    assert declared.policy.name == "release"
    assert declared.policy.date == date(2026, 1, 31)
    first, second, third = declared.policy.rules
    assert first.attribute == (("gender",), ("gender", "race"))
    assert (first.kind, second.kind, third.kind) == ("worst_minus_best", "ratio", "value")
    titles = ["age error", "recall[sad] by race (ratio)", "cs5"]
    assert [one.title for one in declared.policy.rules] == titles
    assert declared.lines == (6, 17, 24)
    assert declared.sha256 == sha256(FULL.encode()).hexdigest()


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "recipes" / "policies").glob("*.toml"))
)
def test_the_examples_are_right(path: Path) -> None:
    """They are for the drawn faces of the embedded example."""
    found = read_policy(path).policy
    named = {name for one in found.rules for names in one.attribute for name in names}
    assert named <= {"group", "presentation", "skin_tone"}
    assert {one.metric for one in found.rules} <= {"mae", "cs5", "failure_rate"}


def test_defaults_are_the_strict_ones(tmp_path: Path) -> None:
    declared = rule(tmp_path, 'metric = "mae"\nattribute = "gender"\nmargin = 1')
    one = declared.policy.rules[0]
    assert (one.inconclusive, one.failure, one.small_groups) == (
        "fail",
        "not_passed",
        "inconclusive",
    )
    assert (one.kind, one.min_persons, one.worse_by) == ("worst_minus_best", None, 0.0)
    assert declared.policy.name == "policy"
    assert declared.policy.primaries() == ("mae",)


GOOD = 'metric = "mae"\nattribute = "gender"\nmargin = 1\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "policy.toml: has no rule, so nothing could fail; write [[rules]]"),
        ('name = "x"', "has no rule"),
        ("rules = []", "has no rule"),
        ("[rules]\n" + GOOD, "rules must be a list of tables; write [[rules]]"),
        ("[[rule]]\n" + GOOD, "unknown key 'rule'; did you mean 'rules'?"),
        ("rules = [3]", "rule 1: Input should be a valid dictionary"),
        ("[[rules]\n", "policy.toml: is no TOML"),
        ("\n[[rules]]\n" + GOOD + "marginn = 2", "line 2: rule 1: unknown key 'marginn'; did you"),
        ("[[rules]]\n" + GOOD + "clas = 'x'", "did you mean 'class'?"),
        ("[[rules]]\n" + GOOD + "\n[[rules]]\nmargin = 1", "line 6: rule 2: the key 'metric' is"),
        ('[[rules]]\nmetric = "mae"', "kind 'worst_minus_best' needs a margin"),
        ('[[rules]]\nmetric = "mae"\nmargin = 1', "needs an attribute, such as attribute = "),
        ('[[rules]]\nmetric = "mae"\nattribute = []\nmargin = 1', "needs an attribute"),
        ("[[rules]]\n" + GOOD + "limit = 3", "kind 'value' takes a limit, not a margin"),
        ("[[rules]]\n" + GOOD + 'kind = "value"', "kind 'value' takes a limit, not a margin"),
        ("[[rules]]\n" + GOOD + 'kind = "gap"', "kind: Input should be 'worst_minus_best', "),
        ("[[rules]]\n" + GOOD.replace("1", "0"), "margin 0 must be a number above 0"),
        ("[[rules]]\n" + GOOD.replace("1", "nan"), "margin nan must be a number above 0"),
        ("[[rules]]\n" + GOOD.replace("1", "inf"), "margin inf must be a number above 0"),
        ("[[rules]]\n" + GOOD.replace("1", "true"), "margin: Input should be a valid number"),
        ("[[rules]]\n" + GOOD.replace("1", '"1"'), "margin: Input should be a valid number"),
        ("[[rules]]\n" + GOOD + 'kind = "ratio"', "margin 1 must be a number above 1"),
        ('[[rules]]\nmetric = "mae"\nlimit = nan', "limit nan must be a finite number"),
        ("[[rules]]\n" + GOOD + "min_persons = 1", "min_persons: Input should be greater than"),
        ("[[rules]]\n" + GOOD + "min_persons = 30.5", "min_persons: Input should be a valid int"),
        ("[[rules]]\n" + GOOD + "worse_by = -1", "worse_by: Input should be greater than"),
        ("[[rules]]\n" + GOOD + "worse_by = inf", "worse_by must be a finite number"),
        ("[[rules]]\n" + GOOD + 'inconclusive = "ok"', "inconclusive: Input should be 'fail'"),
        ("[[rules]]\n" + GOOD + 'failure = "ignored"', "failure: Input should be 'not_passed'"),
        ("[[rules]]\n" + GOOD.replace("gender", "gender,"), "must be names with commas between"),
        ("[[rules]]\n" + GOOD.replace("gender", "race,race"), "must be names with commas between"),
        ("[[rules]]\n" + GOOD.replace('"gender"', '["a,b", "b,a"]'), "names 'b,a' twice"),
        ("[[rules]]\n" + GOOD.replace('"gender"', "7"), "attribute: must be text such as"),
        ("[[rules]]\n" + GOOD.replace("mae", "cs5_all"), "'cs5_all': write 'cs5'; failure = "),
        (("[[rules]]\n" + GOOD) * 2, "two rules are called 'mae by gender'; give each a name"),
        ('date = "soon"\n[[rules]]\n' + GOOD, "policy.toml: date: Input should be a valid date"),
        ("version = 2\n[[rules]]\n" + GOOD, "unknown key 'version'; known are name, date, "),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        policy(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "policy.toml"))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read .* give a policy in TOML"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(InputError, match=r"latin\.toml: cannot be read"):
        read_policy(tmp_path / "latin.toml")


def test_rules_that_are_no_tables_stand_on_the_first_line(tmp_path: Path) -> None:
    text = '\n\nrules = [{ metric = "mae", attribute = "gender", margin = 1 }]\n# [[rules]]\n'
    assert policy(tmp_path, text).lines == (1,)
    text = 'name = """\n[[rules]]\n"""\n[[rules]]\n' + GOOD
    assert policy(tmp_path, text).lines == (1,)


def test_a_record_says_all_of_it_again(tmp_path: Path) -> None:
    info = policy(tmp_path, FULL).info()
    text = info.model_dump_json(by_alias=True)
    assert PolicyInfo.model_validate_json(text) == info
    assert json.loads(text)["rules"][0]["attribute"] == ["gender", "gender,race"]


def test_the_schema_is_valid_and_describes_a_policy(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = Policy.model_json_schema(by_alias=True)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(
        policy(tmp_path, FULL).policy.model_dump(mode="json", by_alias=True), schema
    )
    plain: dict[str, Any] = {"rules": [{"metric": "mae", "attribute": "gender", "margin": 0.5}]}
    jsonschema.validate(plain, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rules": []}, schema)


NAMES = Names(
    metrics={"mae": "lower", "bias": "zero", "importance": "none", "recall": "higher",
             "cs5": "higher", "cs5_all": "higher"},
    classes={"recall": ["happy", "sad"]},
    combinations=[["gender"], ["race"], ["gender", "race"]],
    without_interval={"equal_opportunity"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("mae", "mea"), "metric mea: no such metric in this audit; did you mean mae?"),
        (GOOD.replace("mae", "accuracy"), "metric accuracy: no such metric"),
        (GOOD.replace("mae", "equal_opportunity"), "over all groups without an interval"),
        (GOOD.replace("gender", "gendr"), "attribute gendr: no such attribute in this audit; did"),
        (GOOD.replace("gender", "gender,age"), "attribute age: no such attribute in this audit"),
        (GOOD + 'class = "sad"', "mae has no classes, so class 'sad' names nothing; metrics with"),
        (GOOD.replace("mae", "recall") + 'class = "sat"', "class sat: no such class of recall"),
        ('metric = "importance"\nlimit = 1', "has no better side, so a limit has no direction"),
        ('metric = "bias"\nlimit = -1', "limit -1: bias is best at 0"),
    ],
)
def test_names_that_an_audit_does_not_have(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_policy(rule(tmp_path, text), NAMES)
    assert message in str(caught.value)
    assert "policy.toml line 1: rule 1" in str(caught.value)


def test_a_combination_that_was_not_audited(tmp_path: Path) -> None:
    few = Names({"mae": "lower"}, {}, [["gender"], ["race"]])
    with pytest.raises(
        InputError, match=r"'gender,race' was not audited \(audited: gender; race\)"
    ):
        check_policy(rule(tmp_path, GOOD.replace("gender", "gender,race")), few)
    none = Names({"mae": "lower"}, {}, [])
    with pytest.raises(InputError, match=r"audited: nothing\); run evaluate with --by gender"):
        check_policy(rule(tmp_path, GOOD), none)
    primary = policy(tmp_path, 'primary = ["rmse"]\n[[rules]]\n' + GOOD)
    with pytest.raises(InputError, match=r"policy\.toml: primary rmse: no such metric"):
        check_policy(primary, none)


def test_classes_that_are_known_only_afterwards_are_not_checked(tmp_path: Path) -> None:
    late = Names({"challenge_age": "lower"}, {}, [], late={"challenge_age"})
    check_policy(rule(tmp_path, 'metric = "challenge_age"\nclass = "18"\nlimit = 25'), late)


def test_a_known_policy_is_right(tmp_path: Path) -> None:
    check_policy(policy(tmp_path, FULL), NAMES)
    turned = GOOD.replace("gender", "race, gender")
    check_policy(rule(tmp_path, turned), NAMES)


def test_which_rows_a_margin_holds_for(tmp_path: Path) -> None:
    found = policy(tmp_path, FULL).policy

    def margin(name: str, kind: str, attribute: str, **more: Any) -> float | None:
        row = PairGap.model_validate(gap(name, "a", "b", 1.0, 0.1, kind, attribute, **more))
        return found.margin_of(row)

    assert margin("mae", "difference", "gender") == 0.5
    assert margin("mae", "difference", "gender", attributes=["race", "gender"]) == 0.5
    assert margin("mae", "difference", "race") is None
    assert margin("mae", "ratio", "gender") is None
    assert margin("recall", "ratio", "race", **{"class": "sad"}) == 1.25
    assert margin("recall", "ratio", "race", **{"class": "happy"}) is None
    assert margin("recall", "difference", "race", **{"class": "sad"}) is None
    spread = AggregateGap(
        kind="tau2", metric="mae", attributes=["gender"], family="mae/gender", value=1.0
    )
    assert found.margin_of(spread) is None


def test_of_two_margins_the_smaller_one_holds(tmp_path: Path) -> None:
    text = "[[rules]]\n" + GOOD + "[[rules]]\nname='warn'\n" + GOOD.replace("1", "0.4")
    row = PairGap.model_validate(gap("cs5_all", "a", "b", 1.0))
    found = policy(tmp_path, text.replace("mae", "cs5")).policy
    assert found.margin_of(row) == 0.4
