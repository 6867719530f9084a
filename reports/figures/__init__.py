"""Plotly figures as plain data. Nothing statistical happens here: rows in, marks out.

Colours are CSS variables that the page's script resolves, so that a figure follows the page from
light to dark and to print. Every state has a symbol as well as a colour, and every text that came
from a table goes through ``plot_text``.
"""

from reports.figures.base import Role
from reports.figures.curves import Line, Point, Spot, bars, lines, spots
from reports.figures.grids import Grid, heat, picture
from reports.figures.ridges import Ridge, ridges
from reports.figures.rows import ROW_HEIGHT, Mark, Pair, dumbbell, forest

__all__ = [
    "ROW_HEIGHT",
    "Grid",
    "Line",
    "Mark",
    "Pair",
    "Point",
    "Ridge",
    "Role",
    "Spot",
    "bars",
    "dumbbell",
    "forest",
    "heat",
    "lines",
    "picture",
    "ridges",
    "spots",
]
