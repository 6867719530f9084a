from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch

from audit.errors import InputError
from audit.hashing import text_keys
from hae.training.batches import Batch, Batches, Plan

IntArray = npt.NDArray[np.int64]
KEYS = text_keys([f"f{i}" for i in range(23)], "sample")


def fetch(rows: IntArray, epoch: int) -> Batch:
    return {"rows": torch.from_numpy(rows), "epoch": torch.tensor(epoch)}


def seen(batches: Batches) -> list[tuple[int, tuple[int, ...]]]:
    return [(int(batch["epoch"]), tuple(batch["rows"].tolist())) for batch in batches]


def test_an_epoch_sees_each_face_once_and_leaves_out_the_rest() -> None:
    # 23 faces by 4: five batches in an epoch, three faces wait.
    found = seen(Batches(Plan(KEYS, 4, seed=3), fetch, total=12))
    assert [epoch for epoch, _ in found] == [0] * 5 + [1] * 5 + [2] * 2
    for epoch in (0, 1):
        rows = [row for at, part in found if at == epoch for row in part]
        assert len(set(rows)) == len(rows) == 20
    assert found[0][1] != found[5][1]


def test_every_face_has_its_turn() -> None:
    found = seen(Batches(Plan(KEYS, 4, seed=0), fetch, total=5 * 20))
    counts = np.bincount([row for _, rows in found for row in rows], minlength=23)
    assert counts.sum() == 400
    # Of 20 epochs each holds a face with 20/23: 17.4 on average, SD sqrt(20 * .87 * .13) = 1.5.
    assert counts.min() >= 11


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 7, 11, 12])
def test_goes_on_after_what_was_handed_over(stop: int) -> None:
    plan = Plan(KEYS, 4, seed=3)
    whole = seen(Batches(plan, fetch, total=12))
    first = Batches(plan, fetch, total=12)
    stream = iter(first)
    begun = [(int(b["epoch"]), tuple(b["rows"].tolist())) for b in itertools.islice(stream, stop)]
    state = first.state_dict()  # one more may be fetched ahead, which does not count
    assert state == {"done": stop}
    again = Batches(plan, fetch, total=12)
    again.load_state_dict(state)
    assert begun + seen(again) == whole
    assert len(again) == 12


def test_seed_decides_and_the_order_of_rows_does_not() -> None:
    plan, other = Plan(KEYS, 4, seed=3), Plan(KEYS, 4, seed=4)
    assert plan.order(0).tolist() != other.order(0).tolist()
    turned = np.random.default_rng(0).permutation(23)
    order = Plan(KEYS[turned], 4, seed=3).order(5)
    assert turned[order].tolist() == plan.order(5).tolist()


def test_processes_share_out_the_batch_of_one() -> None:
    one = Plan(KEYS, 8, seed=1)
    two = [Plan(KEYS, 4, seed=1, world=2, rank=rank) for rank in range(2)]
    assert [plan.per_epoch for plan in (one, *two)] == [2, 2, 2]
    for number in range(6):
        order = one.order(number // 2)
        parts = [plan.rows(order, number) for plan in two]
        assert not set(parts[0]) & set(parts[1])
        assert np.concatenate(parts).tolist() == one.rows(order, number).tolist()


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InputError, match=r"batch_size 12 x 2 devices: there are only 23 training"):
        Plan(KEYS, 12, seed=0, world=2)
    assert Plan(KEYS, 23, seed=0).per_epoch == 1


def test_an_error_in_the_fetching_thread_is_heard() -> None:
    def broken(rows: IntArray, epoch: int) -> Batch:
        raise RuntimeError("no such row")

    with pytest.raises(RuntimeError, match="no such row"):
        list(Batches(Plan(KEYS, 4, seed=0), broken, total=3))
