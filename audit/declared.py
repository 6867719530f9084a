"""A policy file: read, hashed, and its names checked against what an audit has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from audit.configs import first_error, toml_and_text
from audit.errors import InputError
from audit.names import check_name
from audit.policy import ALL, Policy, PolicyInfo, Rule
from audit.rows import Better

_EXAMPLE = 'write [[rules]] and under it metric = "mae", attribute = "gender", margin = 0.5'
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*rules[ \t]*\]\]", re.MULTILINE)


@dataclass(frozen=True)
class Declared:
    """A policy, the file that it was read from, its hash, and the line of every rule."""

    policy: Policy
    path: Path
    sha256: str
    lines: tuple[int, ...]

    def place(self, index: int) -> str:
        """Where a rule stands."""
        return _place(self.path, self.lines, index)

    def info(self) -> PolicyInfo:
        """What a record says about it."""
        own = self.policy
        return PolicyInfo(name=own.name, date=own.date, sha256=self.sha256, rules=own.rules)


@dataclass(frozen=True)
class Names:
    """What an audit has: metrics, the classes of each, and attribute combinations.

    ``late``: metrics whose classes are known only when they are computed.
    """

    metrics: Mapping[str, Better]
    classes: Mapping[str, Sequence[str]]
    combinations: Sequence[Sequence[str]]
    without_interval: Set[str] = frozenset()
    late: Set[str] = frozenset()


def classes_of(named: Iterable[tuple[str, str | None]]) -> dict[str, list[str]]:
    """The classes of every metric that has any, from pairs of metric and class.

    Examples
    --------
    >>> classes_of([("recall", "happy"), ("mae", None), ("recall", "sad"), ("recall", "sad")])
    {'recall': ['happy', 'sad']}
    """
    found: dict[str, dict[str, None]] = {}
    for metric, class_ in named:
        if class_ is not None:
            found.setdefault(metric, {})[class_] = None
    return {metric: list(classes) for metric, classes in found.items()}


def read_policy(path: Path) -> Declared:
    """Read and check a policy.

    Raises
    ------
    InputError
        It is missing, no TOML, has an unknown key (the nearest is named), no rule, or a rule that
        contradicts itself.
    """
    content, text = toml_and_text(path, "a policy")
    lines = _lines(text, content.get("rules"))
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        raise InputError(_explained(path, lines, error)) from None
    if not policy.name:
        policy = policy.model_copy(update={"name": path.stem})
    return Declared(policy, path, sha256(text.encode()).hexdigest(), lines)


def check_policy(declared: Declared, names: Names) -> None:
    """Refuse names that the audit does not have, with the nearest ones.

    Raises
    ------
    InputError
        An unknown metric, class or attribute, a combination that is not audited, a class of a
        metric without classes, or a limit on a metric of which neither more nor less is better.
    """
    known = [name for name in names.metrics if not name.endswith(ALL)]
    for name in declared.policy.primary:
        check_name(name, known, f"{declared.path}: primary", "metric in this audit")
    for index, rule in enumerate(declared.policy.rules):
        place = declared.place(index)
        if rule.metric in names.without_interval:
            raise InputError(
                f"{place}: {rule.metric} is a statistic over all groups without an interval, so no "
                "verdict; choose a metric of spec.metrics"
            )
        check_name(rule.metric, known, f"{place}: metric", "metric in this audit")
        _check_class(rule, names, place)
        for combination in rule.attribute:
            _check_combination(combination, names, place)
        better = names.metrics[rule.metric]
        if rule.limit is not None and better == "none":
            raise InputError(
                f"{place}: {rule.metric} has no better side, so a limit has no direction; "
                "state a margin for its gaps"
            )
        if rule.limit is not None and better == "zero" and rule.limit < 0:
            raise InputError(
                f"{place}: limit {rule.limit:g}: {rule.metric} is best at 0, so its limit is the "
                "largest distance from 0; give it without the sign"
            )


def _check_class(rule: Rule, names: Names, place: str) -> None:
    if rule.class_ is None or rule.metric in names.late:
        return
    if rule.metric not in names.classes:
        having = ", ".join(sorted(names.classes)) or "none in this audit"
        raise InputError(
            f"{place}: {rule.metric} has no classes, so class {rule.class_!r} names nothing; "
            f"metrics with classes: {having}"
        )
    known = names.classes[rule.metric]
    check_name(rule.class_, known, f"{place}: class", f"class of {rule.metric}")


def _check_combination(combination: Sequence[str], names: Names, place: str) -> None:
    if any(set(combination) == set(known) for known in names.combinations):
        return
    single = {name for known in names.combinations for name in known}
    for name in combination:
        if single:
            check_name(name, single, f"{place}: attribute", "attribute in this audit")
    audited = "; ".join(",".join(known) for known in names.combinations) or "nothing"
    text = ",".join(combination)
    raise InputError(
        f"{place}: attribute {text!r} was not audited (audited: {audited}); "
        f"run evaluate with --by {text}"
    )


def _place(path: Path, lines: Sequence[int], index: int) -> str:
    return f"{path} line {lines[index]}: rule {index + 1}"


def _lines(text: str, rules: object) -> tuple[int, ...]:
    """The line of every rule's header; the first one where rules are not written as tables."""
    found = tuple(text.count("\n", 0, match.start()) + 1 for match in _HEADER.finditer(text))
    n = len(rules) if isinstance(rules, list) else 0
    return found if len(found) == n else (1,) * n


def _explained(path: Path, lines: Sequence[int], error: ValidationError) -> str:
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location = first["loc"]
    if location == ("rules",) and first["type"] in {"missing", "too_short"}:
        return f"{path}: has no rule, so nothing could fail; {_EXAMPLE}"
    if location == ("rules",) and first["type"] == "tuple_type":
        return f"{path}: rules must be a list of tables; {_EXAMPLE}"
    if len(location) > 1 and location[0] == "rules" and isinstance(location[1], int):
        first["loc"] = location[2:]
        return f"{_place(path, lines, location[1])}: {first_error(Rule, first)}"
    return f"{path}: {first_error(Policy, first)}"
