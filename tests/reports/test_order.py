"""Group names that are ages, bands or numbers stand in their order, others as they were."""

from __future__ import annotations

import itertools

import pytest

from reports.lookup import groups_in_order
from reports.order import in_order, is_sized, size
from tests.reports.records import age_record


@pytest.mark.parametrize(
    "names",
    [
        ["1", "2", "10"],
        ["0-2", "3-9", "10-19", "70+"],
        ["under 18", "18-24", "25-34", "over 34"],
        ["<5", "5", ">5"],
        ["[0, 18)", "[18, 25)", "[25, 100)"],
        ["-1.5", "0", "0.5"],
        ["3-9", "20-29", "more than 70"],
    ],
)
def test_numbers_and_bands_stand_by_size_whatever_order_they_come_in(names: list[str]) -> None:
    for mixed in itertools.islice(itertools.permutations(names), 24):
        assert in_order(mixed) == names


def test_unknown_is_last_and_other_names_keep_their_order() -> None:
    assert in_order(["10", None, "9"]) == ["9", "10", None]
    assert in_order(["b", None, "a", "10"]) == ["b", "a", "10", None]
    assert not is_sized(["10", "Black"])
    assert size("Black") is None


def test_groups_of_a_numbered_attribute_are_not_sorted_by_their_value() -> None:
    record = age_record(groups={"tone": ["1", "10", "2", "9", None]})
    found = [group["tone"] for group in groups_in_order(record, ["tone"], "mae")]
    assert found == ["1", "2", "9", "10", None]
