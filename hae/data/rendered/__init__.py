"""Procedural faces with a known drawn age, for training and tests without photos."""
