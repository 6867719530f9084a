"""Where the numbers come from, for the record: names, hashes and versions, no times, no paths."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from audit.result import RunInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.result import FileHash
    from hae.adapters.predictor import Predictor
    from hae.data.checks.audited import Listed
    from hae.data.core import Manifest

DISTRIBUTION = "hae-audit"
ENGINE = (DISTRIBUTION, "numpy", "pandas", "scipy", "scikit-learn", "fairlearn")
MODELS = ("torch", "timm", "onnxruntime", "pillow")
TRAINING = (DISTRIBUTION, "torch", "timm", "lightning", "pytorch-optimizer", "numpy", "pillow")
SHOWN = (
    *ENGINE,
    "pyarrow",
    "pydantic",
    "plotly",
    "torchvision",
    "lightning",
    "pytorch-optimizer",
    *MODELS,
)


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), **found}


def run_of_model(
    manifest: Manifest, predictor: Predictor, seed: int, command: str | None
) -> RunInfo:
    """Record a model over a data set."""
    from audit.tables import file_hash

    spec = predictor.input_spec
    made = f"{manifest.made}; " if manifest.made else ""
    cut = manifest.crop.described() if manifest.crop.region == "box" else "each whole image"
    if spec.keep < 1:
        cut = f"the middle {100 * spec.keep:g} % of each side of {cut.removeprefix('each ')}"
    side = f"{spec.size[1]} x {spec.size[0]} pixels"
    terms = [text for text in (predictor.terms, manifest.terms) if text]
    return RunInfo(
        model=predictor.name,
        simulated=manifest.drawn,
        data=f"{manifest.label} ({made}the model saw {cut}, {side})",
        files=[*predictor.files, *map(file_hash, manifest.files)],
        versions=versions((*ENGINE, *MODELS)),
        seed=seed,
        command=command,
        terms="; ".join(terms) or None,
    )


def run_of_table(name: str, seed: int, command: str | None) -> RunInfo:
    """Record a table; its reader adds the hashes."""
    return RunInfo(model=name, versions=versions(ENGINE), seed=seed, command=command)


def run_of_data(
    faces: Listed, other: Listed | None, files: Sequence[FileHash], seed: int, command: str | None
) -> RunInfo:
    """Record a data set that is audited by itself, or beside another."""
    manifest = faces.manifest
    about = "a table of labels, without images"
    if manifest is not None:
        made = f"{manifest.made}; " if manifest.made else ""
        about = f"{made}{manifest.crop.described()}"
    every = [manifest, None if other is None else other.manifest]
    terms = [one.terms for one in every if one is not None and one.terms]
    return RunInfo(
        model=faces.label,
        data=about if other is None else f"{about}; beside {other.label}",
        simulated=manifest is not None and manifest.drawn,
        files=list(files),
        versions=versions(ENGINE),
        seed=seed,
        command=command,
        terms="; ".join(dict.fromkeys(terms)) or None,
    )
