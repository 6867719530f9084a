"""Packs: faces decoded once, checksummed, and read without decoding."""
