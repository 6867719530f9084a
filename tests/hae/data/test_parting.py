from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.hashing import Keys, text_keys
from hae.data.splits.parting import parts_by_person

SHARES = [(0.8, 0.2), (0.7, 0.1, 0.2), (0.5, 0.5)]


def people(names: list[str]) -> Keys:
    return text_keys(names, "subject")


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("seed", range(5))
def test_shares_of_every_stratum_are_exact_up_to_one_person(
    shares: tuple[float, ...], seed: int
) -> None:
    sizes = {"a": 97, "b": 10, "c": 3, "d": 1}
    strata = [name for name, n in sizes.items() for _ in range(n)]
    part = parts_by_person(people([f"p{k}" for k in range(len(strata))]), strata, shares, seed)
    for name, n in sizes.items():
        found = np.bincount(part[np.array(strata) == name], minlength=len(shares))
        assert (np.abs(found - n * np.array(shares)) < 1).all()


@settings(deadline=None, max_examples=60)
@given(
    faces=st.lists(st.tuples(st.integers(0, 12), st.sampled_from("xyz")), min_size=1, max_size=80),
    shares=st.sampled_from(SHARES),
    seed=st.integers(0, 1000),
)
def test_properties(faces: list[tuple[int, str]], shares: tuple[float, ...], seed: int) -> None:
    names, strata = [f"p{person}" for person, _ in faces], [stratum for _, stratum in faces]
    part = parts_by_person(people(names), strata, shares, seed)
    together: dict[str, set[int]] = {}
    for name, number in zip(names, part.tolist(), strict=True):
        together.setdefault(name, set()).add(number)
    assert all(len(parts) == 1 for parts in together.values())  # a person is in one part
    assert set(part.tolist()) <= set(range(len(shares)))
    order = np.random.default_rng(seed).permutation(len(faces))
    again = parts_by_person(
        people([names[k] for k in order]), [strata[k] for k in order], shares, seed
    )
    assert (again == part[order]).all()  # whatever the order of the rows


def test_photos_are_shared_out_up_to_one_person() -> None:
    rng = np.random.default_rng(1)
    photos = rng.integers(1, 30, 200)
    names = [f"p{k}" for k, n in enumerate(photos) for _ in range(n)]
    part = parts_by_person(people(names), [""] * len(names), (0.8, 0.2), 0)
    assert abs((part == 1).sum() - 0.2 * len(names)) <= photos.max()


def test_stratum_of_a_person_is_that_of_most_photos() -> None:
    names = ["p0", "p0", "p0", "p1", "p2", "p3", "p4"]
    strata = ["a", "b", "a", "a", "a", "a", "a"]  # p0 counts in "a", with all three photos
    for seed in range(10):
        part = parts_by_person(people(names), strata, (0.8, 0.2), seed)
        assert (part == parts_by_person(people(names), ["a"] * 7, (0.8, 0.2), seed)).all()


def test_seeds_differ() -> None:
    keys, strata = people([f"p{k}" for k in range(500)]), ["a"] * 500
    parts = [parts_by_person(keys, strata, (0.5, 0.5), seed) for seed in range(4)]
    for k in range(3):
        assert 0.4 < (parts[k] == parts[k + 1]).mean() < 0.6  # as if drawn anew


def test_strata_of_one_person_fall_by_their_share() -> None:
    n = 2000
    part = parts_by_person(
        people([f"p{k}" for k in range(n)]), [f"s{k}" for k in range(n)], (0.8, 0.2), 0
    )
    # binomial: 0.2 +- 4 SD, SD = sqrt(0.2 * 0.8 / 2000) = 0.009
    assert abs((part == 1).mean() - 0.2) < 0.036
    seeds = [int(parts_by_person(people(["p"]), ["s"], (0.8, 0.2), s)[0]) for s in range(n)]
    assert abs(np.mean(seeds) - 0.2) < 0.036


@settings(deadline=None, max_examples=40)
@given(
    faces=st.lists(st.tuples(st.integers(0, 5), st.sampled_from("zyx")), min_size=1, max_size=40)
)
def test_a_person_counts_in_the_first_of_their_most_frequent_strata(
    faces: list[tuple[int, str]],
) -> None:
    names, strata = [f"p{person}" for person, _ in faces], [stratum for _, stratum in faces]
    own = {name: [s for n, s in zip(names, strata, strict=True) if n == name] for name in names}
    most = [min(own[name], key=lambda s: (-own[name].count(s), s)) for name in names]
    found = parts_by_person(people(names), strata, (0.6, 0.4), 3)
    # an offset belongs to the stratum's name, and unused strata move nothing
    assert (found == parts_by_person(people(names), most, (0.6, 0.4), 3)).all()


def test_as_many_strata_as_faces() -> None:
    n = 5000
    keys, strata = people([f"p{k}" for k in range(n)]), [f"note {k}" for k in range(n)]
    tracemalloc.start()
    parts_by_person(keys, strata, (0.8, 0.2), 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # people x strata would be 200 MB
