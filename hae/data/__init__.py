"""Data sets as manifests, and images as arrays."""
