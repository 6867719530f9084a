"""The cells of a record, how they add up, and which of them to hide.

A cell is a group and those of its faces that a number is of: all, those of a class, or those that
enter one metric where that is another number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from audit.disclosure import Sum, hidden_cells
from audit.result import AuditResult
from audit.rows import Group

Items: TypeAlias = tuple[tuple[str, str | None], ...]
Population: TypeAlias = tuple[str, ...]
Cell: TypeAlias = tuple[Population, Items]
EVERY: Population = ("faces",)
ALL, FAILURE = "_all", "failure_rate"


@dataclass(frozen=True)
class Hidden:
    """The hidden cells (population, group), and how many persons each cell has."""

    cells: set[Cell]
    counts: Mapping[Cell, int]
    classes: Sequence[str]

    def group(self, group: Group) -> bool:
        """Whether all of a group is hidden."""
        return (EVERY, items_of(group)) in self.cells

    def has(self, population: Population, group: Group) -> bool:
        """Whether a group is hidden for some population."""
        return self.group(group) or (population, items_of(group)) in self.cells

    def any_class(self, group: Group) -> bool:
        """Whether a group, or a class in it, is hidden."""
        return self.group(group) or any(
            (("class", name), items_of(group)) in self.cells for name in self.classes
        )

    def within(
        self, attributes: Sequence[str], populations: Sequence[Population] | None = None
    ) -> list[Items]:
        """The hidden groups of one combination."""
        names = set(attributes)
        return [
            items
            for population, items in self.cells
            if {name for name, _ in items} == names
            and (populations is None or population in populations)
        ]


def items_of(group: Group) -> Items:
    """A group as a key, its attributes in text order."""
    return tuple(sorted(group.items(), key=lambda item: item[0]))


def population_of(metric: str, class_: str | None, classes: Sequence[str]) -> Population:
    """Which faces a number is of; all metrics of one class share theirs."""
    return ("class", class_) if class_ is not None and class_ in classes else (metric, class_ or "")


def hidden_in(result: AuditResult, k: int) -> Hidden:
    """Decide what is hidden, from the persons of every row."""
    classes = result.spec.classes or []
    faces = _faces(result)
    by_population: dict[Population, dict[Items, int]] = {}
    for row in result.metrics:
        items, n = items_of(row.group), row.n_subjects or 0
        found = by_population.setdefault(population_of(row.metric, row.class_, classes), {})
        if n > 0:
            found[items] = min(found.get(items, n), n)
    present = {items: n for items, n in faces.items() if n > 0}
    populations = [EVERY, *(p for p, found in by_population.items() if found != present)]
    by_population[EVERY] = present
    counts = {(p, items): n for p in populations for items, n in by_population[p].items()}
    tree = list(_tree(list(faces)))
    sums = [
        Sum((population, total), tuple((population, part) for part in parts))
        for population in populations
        for total, parts in tree
    ]
    of_class = [("class", name) for name in classes]
    sums += [Sum((EVERY, g), tuple((p, g) for p in of_class)) for g in faces if of_class]
    inside = {(EVERY, g): [(p, g) for p in populations[1:]] for g in faces}
    return Hidden(hidden_cells(counts, sums, k, inside), counts, classes)


def _faces(result: AuditResult) -> dict[Items, int]:
    """Persons of every group: the fewer of those processed and those with failures counted in.

    Those processed are the most that any metric without a class has.
    """
    processed: dict[Items, int] = {}
    failing: dict[Items, int] = {}
    for row in result.metrics:
        if row.class_ is not None:
            continue
        with_failures = row.metric == FAILURE or row.metric.endswith(ALL)
        found = failing if with_failures else processed
        items = items_of(row.group)
        found[items] = max(found.get(items, 0), row.n_subjects or 0)
    return {
        items: min((n for n in (processed.get(items, 0), failing.get(items, 0)) if n), default=0)
        for items in {**processed, **failing}
    }


def _tree(groups: Sequence[Items]) -> Iterator[tuple[Items, tuple[Items, ...]]]:
    """Every group with the groups of each finer combination that it is made of."""
    by_names: dict[frozenset[str], list[Items]] = {}
    for items in groups:
        by_names.setdefault(frozenset(name for name, _ in items), []).append(items)
    for names, totals in by_names.items():
        for finer, parts in by_names.items():
            if not names < finer:
                continue
            found: dict[Items, list[Items]] = {total: [] for total in totals}
            for part in parts:
                above = tuple(item for item in part if item[0] in names)
                if above in found:
                    found[above].append(part)
            yield from ((total, tuple(inside)) for total, inside in found.items())
