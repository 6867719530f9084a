"""What a cell costs: parameters, and time and memory on a batch that is the same for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hae.config import Strict
from hae.generality.memory import peak_of, size_of
from hae.heads.target import AgeTarget
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel
from hae.models.neck import Seen

REPEATS = 5
Model = AgeModel | ExpressionModel


class Cost(Strict):
    """Parameters, and milliseconds and memory of a batch of ``batch`` faces.

    Of all but a frozen backbone, whose features are given; a backbone that is trained is part of
    it. ``trained_parameters``; ``parameters`` of the whole model. ``step_ms``: forward and
    backward, ``forward_ms``: the estimates alone, each the median of five. ``peak_bytes``: the most
    memory of a forward and backward pass: weights, batch, and what torch's allocator holds beyond
    them, gradients among it; not an optimizer's state. ``seconds`` of the training steps with their
    validation on this machine, without the look at faces before them; None where the training was
    stopped in between.
    """

    trained_parameters: int
    parameters: int
    batch: int
    step_ms: float
    forward_ms: float
    seconds: float | None
    peak_bytes: int | None


def cost_of(model: Model, batch: int, seconds: float | None) -> Cost:
    """Measure a model whose training took some seconds; nothing of it changes."""
    device = next(model.parameters()).device
    inputs = _batch(model, batch)
    loss = _age_loss(model, batch) if isinstance(model, AgeModel) else _class_loss(model, batch)
    state = {name: value.clone() for name, value in model.state_dict().items()}

    def run() -> Any:
        if not model.backbone.frozen:
            return model(*inputs)
        features, *regions = inputs
        return model.from_seen(Seen(features, regions[0] if regions else None))

    def step() -> None:
        torch.autograd.backward(loss(run()))

    def forward() -> None:
        with torch.inference_mode():
            run()

    modes = {module: module.training for module in model.modules()}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        step_ms = _median_ms(step, model.train(), device)
        held = size_of([*_weights(model), *inputs])
        peak_bytes = held + peak_of(step, device)
        model.zero_grad(set_to_none=True)
        forward_ms = _median_ms(forward, model.eval(), device)
    for module, mode in modes.items():
        module.training = mode
    model.load_state_dict(state)  # running sums have moved
    return Cost(
        trained_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        parameters=sum(p.numel() for p in model.parameters()),
        batch=batch,
        step_ms=step_ms,
        forward_ms=forward_ms,
        seconds=None if seconds is None else round(seconds, 3),
        peak_bytes=peak_bytes,
    )


def _age_loss(model: AgeModel, b: int) -> Callable[[Any], Tensor]:
    head, device = model.config.head, next(model.parameters()).device
    middle = torch.full((b,), (head.age_min + head.age_max) / 2, device=device)
    target = AgeTarget(middle, middle)
    return lambda output: model.losses(output, target)["total"]


def _class_loss(model: ExpressionModel, b: int) -> Callable[[Any], Tensor]:
    n, device = model.classifier.out_features, next(model.parameters()).device
    target = functional.one_hot(torch.arange(b, device=device) % n, n).float()
    return lambda scores: model.losses(scores, target)["total"]


def _batch(model: Model, b: int) -> list[Tensor]:
    """Images, and plain faces where used; or features of a frozen backbone, and regions."""
    config, backbone = model.config, model.backbone
    device = next(model.parameters()).device
    draw = torch.Generator().manual_seed(0)
    k, kind = config.views.k, config.aggregator.regions

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=draw).to(device)

    if not backbone.frozen:
        faces = [k, 1] if kind == "face" else [k]
        # channels last, as in training
        return [normal(b, n, config.size, config.size, 3).movedim(-1, 2) for n in faces]
    found = [normal(b, k, backbone.out_dim)]
    if kind != "none":
        n = backbone.n_regions(config.size, config.aggregator.cells)
        size = (b, n) if kind == "face" else (b, k, n)
        found.append(normal(*size, backbone.region_dim))
    return found


def _weights(model: Model) -> Iterator[Tensor]:
    """Parameters and sums of all that takes part."""
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        if not (model.backbone.frozen and name.startswith("backbone.")):
            yield value


def _median_ms(work: Callable[[], None], model: Model, device: torch.device) -> float:
    times = []
    for _ in range(REPEATS + 1):  # the first warms up
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
        model.zero_grad(set_to_none=True)
    return round(float(np.median(times[1:])), 3)
