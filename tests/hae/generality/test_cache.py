"""A cache that was made with other weights, views or crop is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import InputError
from hae.config import RunConfig
from hae.generality.cache import claim, described
from hae.generality.grid import cells
from tests.hae.generality.small import GRID


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"weights": "other"}, "weights"),
        ({"embed_views": 12}, "views"),
        ({"view_seed": 3}, "views"),
        ({"keep": 0.8}, "crop"),
        ({"mean": (0.5, 0.5, 0.5)}, "normalisation"),
    ],
)
def test_a_cache_of_other_views_is_refused(
    tmp_path: Path, change: dict[str, object], what: str
) -> None:
    config = next(cells(GRID)).run_config()
    one, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    claim(tmp_path, described(config, one))
    claim(tmp_path, described(config, one))  # its own
    weights = other if "weights" in change else one
    changed = config.model_dump(mode="json")
    for key, value in change.items():
        if key != "weights":
            (changed if key in changed else changed["model"])[key] = value
    with pytest.raises(InputError, match=f"saw there is of other {what}; give another folder"):
        claim(tmp_path, described(RunConfig.model_validate(changed), weights))


def test_an_illegible_sign_is_refused(tmp_path: Path) -> None:
    config = next(cells(GRID)).run_config()
    (tmp_path / "small_resnet.views.json").write_text("{")
    with pytest.raises(InputError, match="does not say what the cache holds"):
        claim(tmp_path, described(config, None))
