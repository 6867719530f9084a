"""What a cell costs: parameters, and time on a batch that is the same for all."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from hae.config import Strict
from hae.heads.target import AgeTarget
from hae.models.age import AgeModel
from hae.models.neck import Seen

REPEATS = 5


class Cost(Strict):
    """All but the backbone: ``trained_parameters``, and milliseconds of a batch.

    ``parameters`` of the whole model. ``step_ms``: forward and backward, ``forward_ms``: the
    estimates alone, each the median of five, on ``batch`` faces whose features are stored.
    ``seconds`` of the cell's whole training on this machine: with the backbone's look at all faces
    in the first cell that needs it, and after a stop only of the rest, so not for comparing.
    ``peak_bytes``: most memory of a GPU; None without one.
    """

    trained_parameters: int
    parameters: int
    batch: int
    step_ms: float
    forward_ms: float
    seconds: float
    peak_bytes: int | None


def cost_of(model: AgeModel, batch: int, seconds: float, peak_bytes: int | None) -> Cost:
    """Measure a model whose training took some seconds; nothing of it changes."""
    config, device = model.config, next(model.parameters()).device
    draw = torch.Generator().manual_seed(0)
    b, k = batch, config.views.k
    features = torch.randn(b, k, model.backbone.out_dim, generator=draw)
    regions, kind = None, config.aggregator.regions
    if kind != "none":
        n = model.backbone.n_regions(config.size, config.aggregator.cells)
        size = (b, n) if kind == "face" else (b, k, n)
        regions = torch.randn(*size, model.backbone.region_dim, generator=draw).to(device)
    seen = Seen(features.to(device), regions)
    middle = torch.full((b,), (config.head.age_min + config.head.age_max) / 2, device=device)
    target = AgeTarget(middle, middle)
    state = {name: value.clone() for name, value in model.state_dict().items()}

    def step() -> None:
        torch.autograd.backward(model.losses(model.from_seen(seen), target)["total"])

    def forward() -> None:
        with torch.inference_mode():
            model.from_seen(seen)

    with torch.random.fork_rng(devices=[]):
        step_ms = _median_ms(step, model.train(), device)
        forward_ms = _median_ms(forward, model.eval(), device)
    model.zero_grad(set_to_none=True)
    model.load_state_dict(state)  # running sums have moved
    return Cost(
        trained_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        parameters=sum(p.numel() for p in model.parameters()),
        batch=batch,
        step_ms=step_ms,
        forward_ms=forward_ms,
        seconds=round(seconds, 3),
        peak_bytes=peak_bytes,
    )


def _median_ms(work: Callable[[], None], model: AgeModel, device: torch.device) -> float:
    times = []
    for _ in range(REPEATS + 1):  # the first warms up
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
        model.zero_grad(set_to_none=True)
    return round(float(np.median(times[1:])), 3)
