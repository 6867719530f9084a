"""K augmented views of one face: drawn per face by a counter hash, made where the image lies."""

from hae.views.apply import apply_views
from hae.views.draw import ViewParams, draw_views, first_views, fixed_views, plain_view, sample_keys

__all__ = [
    "ViewParams",
    "apply_views",
    "draw_views",
    "first_views",
    "fixed_views",
    "plain_view",
    "sample_keys",
]
