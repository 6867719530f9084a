"""The most memory that a piece of work takes, by one definition on a CPU and on a GPU."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

_LOG_LEVEL = "KINETO_LOG_LEVEL"


def peak_of(work: Callable[[], object], device: torch.device) -> int:
    """Bytes that torch's allocator holds at most while the work runs, beyond those before it.

    Temporary tensors inside of operations count. What a library keeps in memory of its own does
    not. On a GPU sizes are those of the allocator's blocks, multiples of 512 bytes.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    results = seen.profiler.kineto_results if seen.profiler else None
    assert results is not None
    told = [event for event in results.events() if event.name() == "[memory]"]
    now, most = 0, 0
    for event in sorted(told, key=lambda event: event.start_ns()):
        now += event.nbytes()  # below 0 where a block is given back
        most = max(most, now)
    return most


def size_of(tensors: Iterable[Tensor | None]) -> int:
    """Bytes of the storages of some tensors, each counted once."""
    found = {}
    for tensor in tensors:
        if tensor is not None:
            storage = tensor.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the profiler says of GPUs and of itself."""
    given = os.environ.get(_LOG_LEVEL)
    os.environ.setdefault(_LOG_LEVEL, "9")  # read when it is used for the first time
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Memory block of unknown size")
            warnings.filterwarnings("ignore", ".*[Pp]rofiler")
            yield
    finally:
        if given is None:
            del os.environ[_LOG_LEVEL]
