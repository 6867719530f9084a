"""The benchmark of training runs and its figures fit together; no speed is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.train_speed import main, read_options

TINY = (
    "--device cpu --k 1 3 --optimizers adamw --views 6 --size 32 --embedding 16 --layers 1 "
    "--faces 16"
)


def test_a_tiny_run_writes_figures_that_fit_together(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "speed.json"
    main(f"{TINY} --warmup 1 --steps 1 --rounds 2 --peak-tflops 0.1 --out {out}".split())
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["options"]["backbone"] == "small_resnet"
    assert [row["k"] for row in found["race"]] == [1, 3]
    for row, faces in zip(found["race"], (6, 2), strict=True):
        assert row["faces"] == faces
        ratio = row["ratio"]
        assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]
        for side in ("step", "bare"):
            views, samples = row["views_per_s"][side], row["samples_per_s"][side]
            assert views == pytest.approx(samples * row["k"], abs=1)
            # A turn of 6 views; the median rate belongs to the median time.
            assert views == pytest.approx(6e3 / row["step_ms"][side]["median"], rel=0.05)
            rate = row["gflop"][side] / row["step_ms"][side]["median"] / 0.1
            assert row["flop_utilisation"][side] == pytest.approx(rate, rel=0.2, abs=2e-3)
        assert row["gflop"]["step"] >= row["gflop"]["bare"] > 0
        assert row["loop_samples_per_s"] > 0
        assert row["parts_ms"]["backbone"] > 0


def test_what_is_not_given_depends_on_the_device() -> None:
    cpu, gpu = (read_options(["--device", name, "--views", "64"]) for name in ("cpu", "cuda"))
    assert (cpu.backbone, cpu.size, cpu.precision) == ("small_resnet", 64, "fp32")
    assert (gpu.backbone, gpu.size, gpu.precision) == ("resnet50", 224, "bf16")
    assert (cpu.compile, gpu.compile) == (False, True)
    assert (cpu.peak_tflops, gpu.peak_tflops) == (None, 989)
    assert cpu.views == gpu.views == 64
