"""What was stated before the numbers were seen: by a policy, or by margins and primary metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.declared import Declared, Names, check_policy
from audit.errors import InputError
from audit.names import check_name
from audit.rows import AggregateGap, Gap


@dataclass(frozen=True, eq=False)
class Stated:
    """Margins by metric and primary metrics, or the policy that states them."""

    margins: Mapping[str, float]
    primary: tuple[str, ...]
    declared: Declared | None

    def margin_of(self, gap: Gap) -> float | None:
        """The margin of a row; a margin that is stated by metric does not hold for ratios."""
        if self.declared is not None:
            return self.declared.policy.margin_of(gap)
        unfit = gap.kind == "ratio" or isinstance(gap, AggregateGap)
        return None if unfit else self.margins.get(gap.metric)

    def combinations(
        self, audited: Sequence[tuple[str, ...]], attributes: Sequence[str]
    ) -> tuple[tuple[str, ...], ...]:
        """The combinations of an audit, and those of the policy that are not among them.

        Raises
        ------
        InputError
            The policy names an attribute that the table (``attributes``) does not have.
        """
        found = list(audited)
        if self.declared is None:
            return tuple(found)
        for index, rule in enumerate(self.declared.policy.rules):
            for own in rule.attribute:
                for name in own:
                    place = f"{self.declared.place(index)}: attribute"
                    check_name(name, attributes, place, "attribute in the table")
                if not any(set(own) == set(names) for names in found):
                    found.append(own)
        return tuple(found)

    def for_spec(self) -> dict[str, Any]:
        """What the record says about it."""
        info = self.declared.info() if self.declared else None
        return {"margins": dict(self.margins), "primary": list(self.primary), "policy": info}


def statements(
    margins: Mapping[str, float], primary: Sequence[str], declared: Declared | None
) -> Stated:
    """Join what was stated.

    Raises
    ------
    InputError
        Both a policy and margins or primary metrics, or a margin that is no number above 0.
    """
    if declared is not None and (margins or primary):
        option = "--margin" if margins else "--primary"
        raise InputError(
            f"{option} and --policy {declared.path}: both state what was declared; "
            "write it in the policy"
        )
    for name, margin in margins.items():
        if not (math.isfinite(margin) and margin > 0):
            raise InputError(f"--margin {name}={margin}: must be a number above 0")
    named = declared.policy.primaries() if declared else tuple(primary)
    return Stated(margins, named, declared)


def check_stated(stated: Stated, names: Names) -> None:
    """Refuse metrics, classes and attributes that the audit does not have."""
    if stated.declared is not None:
        check_policy(stated.declared, names)
        return
    for option, given in (("--margin", stated.margins), ("--primary", stated.primary)):
        for name in given:
            check_name(name, names.metrics, option, "metric in this audit")
