"""Backbones x aggregators x seeds at equal budget: what helps on every backbone."""
