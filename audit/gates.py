"""Age gates as they are asked for: a legal age, and the estimate at which a person may pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from audit.errors import InputError

MAX_BUFFER = 15
"""Operating curves go from the legal age to so many years above it."""


@dataclass(frozen=True, order=True)
class Gate:
    """A person passes with an estimate of at least ``challenge`` years; ``legal`` is the law's."""

    legal: float
    challenge: float

    @property
    def name(self) -> str:
        """The class of its metrics, ``18:25``."""
        return f"{self.legal:g}:{self.challenge:g}"


def gates_of(given: Sequence[str | float | tuple[float, float]]) -> tuple[Gate, ...]:
    """Read gates: ``"18"`` (pass from an estimate of 18 on), ``"18:25"`` or ``(18, 25)``.

    Raises
    ------
    InputError
        A gate is not of this form, its ages are not possible, or it is given twice.

    Examples
    --------
    >>> [gate.name for gate in gates_of(["18", "18:25", (21, 25)])]
    ['18:18', '18:25', '21:25']
    """
    found: list[Gate] = []
    for item in given:
        gate = _gate(item)
        if gate in found:
            raise InputError(f"--gate {gate.name}: is given twice; give it once")
        found.append(gate)
    return tuple(found)


def _gate(item: str | float | tuple[float, float]) -> Gate:
    parts = str(item).split(":") if isinstance(item, str | int | float) else [*item]
    try:
        ages = [float(part) for part in parts]
    except (TypeError, ValueError):
        ages = []
    if len(ages) not in {1, 2} or not all(map(math.isfinite, ages)):
        raise InputError(
            f"--gate {item}: must be a legal age, or LEGAL:CHALLENGE, in years, such as 18 or 18:25"
        )
    legal, challenge = ages[0], ages[-1]
    if not 0 < legal <= challenge <= 130 or legal != int(legal):
        raise InputError(
            f"--gate {item}: the legal age must be a whole year above 0, and the challenge age "
            "between it and 130"
        )
    return Gate(legal, challenge)


def check_target(target: float | None, gates: Sequence[Gate]) -> None:
    """Refuse a target that no rate can have, or one without a gate.

    Raises
    ------
    InputError
        With the value and what it must be.
    """
    if target is None:
        return
    if not 0 < target < 1:
        raise InputError(f"--gate-target {target}: must be a share between 0 and 1, such as 0.01")
    if not gates:
        raise InputError("--gate-target: needs a gate; give --gate 18 too")
