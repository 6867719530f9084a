"""Data sets, models and prediction."""
