"""What holds for a whole table beside its sums: counts for the warnings, classes, forms of ages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audit.metrics.expression import n_floored
from audit.predictions import Predictions
from audit.result import FileHash
from audit.rows import Concern, Task


@dataclass(frozen=True, eq=False)
class Facts:
    """Counts of faces, which add up over parts, and what all parts have in common.

    Parameters
    ----------
    n, n_failed, n_unlabelled, n_floored : int
        Faces; not processed; without truth; whose true class has a probability of about 0.
    n_alone, n_bare : int
        Faces that name no person; of these, those of tables without ``sample_id``.
    has_subjects : bool
        Whether any face names its person.
    counts : mapping
        Warning code -> how often its readers saw it.
    seen : tuple of int
        Labelled faces of each class.
    bands : (bool, bool)
        Whether the true ages and the estimates are bands.
    streamed : bool
        Whether no more than sums are known, and no statistic of all rows at once.
    """

    task: Task
    n: int
    n_failed: int
    n_unlabelled: int
    n_floored: int
    n_alone: int
    n_bare: int
    has_subjects: bool
    counts: Mapping[str, int]
    places: tuple[str, ...]
    warnings: tuple[Concern, ...]
    files: tuple[FileHash, ...] = ()
    classes: tuple[str, ...] = ()
    seen: tuple[int, ...] = ()
    extras: tuple[str, ...] = ()
    has_scores: bool = False
    bands: tuple[bool, bool] = (False, False)
    streamed: bool = False


def facts_of(shard: Predictions) -> Facts:
    """The facts of one table, or of one part of it."""
    labelled, alone = shard.labelled, _alone(shard)
    truth, estimate, y = shard.truth, shard.estimate, shard.y_true
    k = len(shard.classes)
    return Facts(
        task=shard.task,
        n=len(shard),
        n_failed=int((labelled & ~shard.processed).sum()),
        n_unlabelled=int((~labelled).sum()),
        n_floored=n_floored(shard),
        n_alone=alone,
        n_bare=alone if shard.sample_id is None else 0,
        has_subjects=shard.subject_id is not None,
        counts=shard.counts,
        places=(shard.place,),
        warnings=shard.warnings,
        files=shard.files,
        classes=shard.classes,
        seen=() if y is None else tuple(np.bincount(y[y >= 0], minlength=k).tolist()),
        extras=shard.extras,
        has_scores=shard.probabilities is not None,
        bands=(
            truth is not None and truth.is_band,
            estimate is not None and estimate.is_band,
        ),
    )


def _alone(shard: Predictions) -> int:
    return len(shard) if shard.subject_id is None else int(shard.subject_id.isna().sum())


def all_facts(parts: Sequence[Facts]) -> Facts:
    """The facts of a table from those of its parts, which are in common form."""
    first = parts[0]

    def total(name: str) -> int:
        return sum(getattr(part, name) for part in parts)

    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    told = dict.fromkeys(
        (w.code, w.severity, w.message, w.where) for p in parts for w in p.warnings
    )
    return replace(
        first,
        n=total("n"),
        n_failed=total("n_failed"),
        n_unlabelled=total("n_unlabelled"),
        n_floored=total("n_floored"),
        n_alone=total("n_alone"),
        n_bare=total("n_bare"),
        has_subjects=any(part.has_subjects for part in parts),
        counts=dict(counts),
        places=tuple(dict.fromkeys(place for part in parts for place in part.places)),
        warnings=tuple(
            Concern(code=code, severity=severity, message=message, where=where)
            for code, severity, message, where in told
        ),
        files=tuple(dict.fromkeys(file for part in parts for file in part.files)),
        seen=tuple(map(sum, zip(*(part.seen for part in parts), strict=True))),
        has_scores=all(part.has_scores for part in parts),
    )
