"""Auditing a data set before any model: who is in it, and what its labels tell of them."""
