"""Values of several processes: what each of them gets, and whose gradient it has."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hae import processes
from hae.processes import everybodys


@pytest.mark.parametrize(("w", "rank"), [(2, 0), (3, 1), (7, 6)])
def test_all_see_the_same_values_and_own_a_part(
    w: int, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit: else two processes could rank two faces differently."""
    torch.manual_seed(w)
    every = torch.rand(w, 50)

    def gathered(values: Tensor) -> Tensor:
        assert torch.equal(values.detach(), every[rank])
        return every.flatten()

    monkeypatch.setattr(processes, "world", lambda: w)
    monkeypatch.setattr(processes, "gathered", gathered)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: rank)
    own = every[rank].clone().requires_grad_()
    found = everybodys(own)
    assert torch.equal(found.detach(), every.flatten())
    slope = torch.arange(float(w * 50))
    (found * slope).sum().backward()
    # w times: the processes' gradients are averaged
    assert torch.equal(own.grad, w * slope.view(w, 50)[rank])


def test_one_process_has_its_values() -> None:
    own = torch.rand(5, requires_grad=True)
    assert everybodys(own) is own
