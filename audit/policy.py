"""The policy: what was declared acceptable before the numbers were seen, as a TOML file.

It gives margins and primary metrics to an audit (``evaluate --policy``) and rules to a gate
(``gate --policy``). Its hash and date go into the record.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_serializer, model_validator

from audit.rows import AggregateGap, Gap, Record

Kind = Literal["worst_minus_best", "difference", "vs_rest", "ratio", "value"]
ALL = "_all"
"""The ending of metrics that count failed faces as wrong."""


def _combinations(value: object) -> object:
    """Attribute combinations as tuples: ``"gender,race"`` is both together, a list is several."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise ValueError("must be text such as 'gender' or 'gender,race', or a list of such texts")
    found: list[tuple[str, ...]] = []
    for text in texts:
        names = text.split(",") if isinstance(text, str) else text
        names = [str(name).strip() for name in names]
        if not all(names) or len(set(names)) < len(names):
            raise ValueError("must be names with commas between, each once, such as 'gender,race'")
        if any(set(names) == set(known) for known in found):
            raise ValueError(f"names {','.join(names)!r} twice; name it once")
        found.append(tuple(names))
    return tuple(found)


Combinations = Annotated[
    tuple[tuple[str, ...], ...],
    BeforeValidator(_combinations, json_schema_input_type=str | list[str]),
]


class Rule(Record):
    """One rule: which rows of a record it judges, and what is acceptable in them.

    A margin is the largest harmless gap, in the unit of the metric; for ``ratio`` the largest
    harmless ratio, above 1. A limit is on the value itself: at most, at least, or at most away from
    0, as the metric's ``better`` says.
    """

    metric: str = Field(description="as in the record, without _all; see failure")
    class_: str | None = Field(
        default=None, alias="class", description="of a per-class metric; by default every class"
    )
    attribute: Combinations = Field(
        default=(), description="'gender'; 'gender,race' is both together; a list is several"
    )
    kind: Kind = Field(
        default="worst_minus_best",
        description="worst_minus_best: the largest gap, which bounds every pair; difference: every "
        "pair that the record lists; vs_rest: each group against everyone else; ratio: every pair; "
        "value: the metric itself, in each group or, without attribute, over everyone",
    )
    margin: float | None = Field(
        default=None, strict=True, description="for gaps; above 0, a ratio above 1"
    )
    limit: float | None = Field(
        default=None, strict=True, description="for kind value, which it implies"
    )
    min_persons: int | None = Field(
        default=None,
        ge=2,
        strict=True,
        description="fewer on a side are not acquitted; default: the record's",
    )
    small_groups: Literal["inconclusive", "skip"] = Field(
        default="inconclusive",
        description="groups below min_persons without a shown gap: inconclusive, or left out",
    )
    inconclusive: Literal["fail", "warn", "pass"] = "fail"
    failure: Literal["not_passed", "excluded"] = Field(
        default="not_passed",
        description="failed faces count as wrong (<metric>_all, where it exists), or are left out",
    )
    worse_by: float = Field(
        default=0.0, ge=0, strict=True, description="growth since --baseline that would not matter"
    )
    name: str = Field(default="", description="unique; by default made of the rule")

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "limit" in content and "kind" not in content:
            return {**content, "kind": "value"}
        return content

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        wanted, other = ("limit", "margin") if self.kind == "value" else ("margin", "limit")
        given = getattr(self, wanted)
        if getattr(self, other) is not None:
            raise ValueError(f"kind {self.kind!r} takes a {wanted}, not a {other}")
        if given is None:
            raise ValueError(f"kind {self.kind!r} needs a {wanted}")
        least = {"ratio": 1.0, "value": -math.inf}.get(self.kind, 0.0)
        if not (math.isfinite(given) and given > least):
            must = "a finite number" if self.kind == "value" else f"a number above {least:g}"
            raise ValueError(f"{wanted} {given:g} must be {must}")
        if self.kind != "value" and not self.attribute:
            raise ValueError(f'kind {self.kind!r} needs an attribute, such as attribute = "gender"')
        if self.metric.endswith(ALL):
            raise ValueError(
                f"metric {self.metric!r}: write {self.metric.removesuffix(ALL)!r}; "
                "failure = 'not_passed', the default, counts failed faces as wrong"
            )
        if not math.isfinite(self.worse_by):
            raise ValueError("worse_by must be a finite number")
        return self

    @field_serializer("attribute")
    def _as_written(self, combinations: tuple[tuple[str, ...], ...]) -> list[str]:
        return [",".join(names) for names in combinations]

    @property
    def title(self) -> str:
        """The name, or one that is made of the rule."""
        if self.name:
            return self.name
        metric = f"{self.metric}[{self.class_}]" if self.class_ is not None else self.metric
        by = " and ".join(",".join(names) for names in self.attribute)
        kind = "" if self.kind == "worst_minus_best" else f" ({self.kind})"
        return f"{metric} by {by}{kind}" if by else metric

    def applies(self, metric: str, class_: str | None) -> bool:
        """Whether the rule is about a metric of the record, in one of its classes."""
        names = {self.metric, self.metric + ALL}
        return metric in names and self.class_ in {None, class_}

    def covers(self, names: Sequence[str]) -> bool:
        """Whether the rule is about an attribute combination, in whatever order."""
        return any(set(own) == set(names) for own in self.attribute)


class Policy(Record):
    """Rules, and the metrics that were named before the numbers were seen."""

    name: str = Field(default="", description="by default the name of the file")
    date: datetime.date | None = Field(default=None, description="when it was declared")
    primary: tuple[str, ...] = Field(
        default=(), description="the rest explores; by default the metrics of the rules"
    )
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _named_once(self) -> Policy:
        titles = [rule.title for rule in self.rules]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules are called {twice!r}; give each a name of its own")
        return self

    def margin_of(self, gap: Gap) -> float | None:
        """The smallest margin that the rules state for a row.

        A margin in the unit of the metric holds for every gap of its metric, class and attributes,
        whichever kind the rule judges; that of a ratio for ratios.
        """
        if isinstance(gap, AggregateGap):
            return None
        margins = [
            rule.margin
            for rule in self.rules
            if rule.margin is not None
            and (rule.kind == "ratio") == (gap.kind == "ratio")
            and rule.applies(gap.metric, gap.class_)
            and rule.covers(gap.attributes)
        ]
        return min(margins, default=None)

    def primaries(self) -> tuple[str, ...]:
        """The metrics that were named beforehand."""
        return self.primary or tuple(dict.fromkeys(rule.metric for rule in self.rules))


class PolicyInfo(Record):
    """The policy under which an audit was made: what was declared, when, and the file's hash."""

    name: str
    date: datetime.date | None = None
    sha256: str
    rules: tuple[Rule, ...]
