"""In a folder of stored views each backbone has one set of weights, of views and one crop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from audit.files import write_text
from audit.tables import file_hash
from hae.config import RunConfig


def described(config: RunConfig, weights: Path | None) -> dict[str, object]:
    """What the stored views of a backbone depend on, beside the faces.

    ``weights``: the file of the backbone's; None: those that the config names.
    """
    model = config.model
    identity = model.backbone.identity
    views = model.views.model_dump(mode="json")
    views.pop("k")
    return {
        "backbone": model.backbone.label,
        "weights": model.backbone.init if weights is None else file_hash(weights).sha256,
        "views": views | {"stored": config.embed_views, "seed": config.seed_of_views},
        "crop": {"size": model.size, "keep": model.keep},
        "normalisation": [list(model.mean), list(model.std)],
        **({"settings": identity} if identity != model.backbone.name else {}),
    }


def claim(cache: Path, wanted: Mapping[str, object]) -> None:
    """Sign a folder for these views of a backbone, or find that they are those it has.

    Raises
    ------
    InputError
        It holds views of this backbone with other weights, of another kind or of another crop:
        nothing in it is touched.
    """
    name = str(wanted["backbone"])
    sign = cache / f"{name}.views.json"
    if not sign.exists():
        cache.mkdir(parents=True, exist_ok=True)
        write_text(sign, json.dumps(wanted, sort_keys=True, indent=1) + "\n")
        return
    try:
        found = json.loads(sign.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{sign}: does not say what the cache holds; delete {cache}")
    changed = [key for key in wanted if found.get(key) != wanted[key]]
    if changed:
        raise InputError(
            f"cache {cache}: what {name!r} saw there is of other {' and '.join(changed)}; give "
            "another folder, or delete it"
        )
