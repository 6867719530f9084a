"""Tiny networks and drawn pictures; no faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

SIZE = (8, 6)  # height, width: unequal, so that a swap shows
CENTRES = (10.0, 20.0, 40.0)
SPEC = """\
name = "toy"
terms = "free"

[weights]
file = "toy.onnx"

[input]
size = [8, 6]
layout = "NCHW"
colour = "RGB"
range = [0, 1]

[outputs.age]
centres = [10, 20, 40]
softmax = true
"""


def save_network(
    path: Path,
    *,
    batch: int | str = "N",
    channels_last: bool = False,
    width: int = 3,
    weight: float = 4.0,
    softmax: bool = False,
) -> None:
    """Logits = weight x the mean of each channel: red 10, green 20, blue 40 years."""
    shape = [batch, *SIZE, 3] if channels_last else [batch, 3, *SIZE]
    axes = [1, 2] if channels_last else [2, 3]
    matrix = np.zeros((3, width), np.float32)
    np.fill_diagonal(matrix, weight)
    nodes = [
        helper.make_node("ReduceMean", ["images", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "matrix"], ["logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], axis=1))
    out = "scores" if softmax else "logits"
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, [batch, width])],
        [
            numpy_helper.from_array(np.array(axes, np.int64), "axes"),
            numpy_helper.from_array(matrix, "matrix"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)


def toy_model(folder: Path, spec: str = SPEC, **network: object) -> Path:
    """Write the network and its spec; returns the spec's path."""
    folder.mkdir(parents=True, exist_ok=True)
    save_network(folder / "toy.onnx", **network)  # type: ignore[arg-type]
    (folder / "toy.toml").write_text(spec, encoding="utf-8")
    return folder / "toy.toml"


def draw(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (60, 80)) -> None:
    """A disc of a colour on grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (90, 90, 90))
    ImageDraw.Draw(image).ellipse([5, 5, size[0] - 5, size[1] - 5], fill=colour)
    image.save(path)


def toy_faces(folder: Path, n: int, seed: int = 0) -> Path:
    """n drawn pictures and a table of them; returns the table's path."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        draw(folder / "images" / f"{i}.png", colour)  # type: ignore[arg-type]
        rows.append((f"f{i}", f"images/{i}.png", str(10 + i % 40), "ab"[i % 2]))
    frame = pd.DataFrame(rows, columns=["sample_id", "path", "age", "gender"])
    frame.to_csv(folder / "faces.csv", index=False)
    return folder / "faces.csv"
