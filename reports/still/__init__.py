"""Figures without a script: the marks that plotly would draw, as shapes of an SVG."""

from reports.still.draw import WIDTHS, Still, still

__all__ = ["WIDTHS", "Still", "still"]
