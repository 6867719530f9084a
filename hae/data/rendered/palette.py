"""The colours: skin after the Monk scale; hair, eyes, clothes and walls; RGB of 255."""

from __future__ import annotations

Colour = tuple[float, float, float]
Palette = tuple[Colour, ...]

SKIN: Palette = (
    (246, 237, 228),
    (243, 231, 219),
    (247, 234, 208),
    (234, 218, 186),
    (215, 189, 150),
    (160, 126, 86),
    (130, 92, 67),
    (96, 65, 52),
    (58, 49, 42),
    (41, 36, 32),
)
"""Monk Skin Tone Scale 1 to 10 (E. Monk, 2022, skintone.google, CC BY 4.0)."""

HAIR: Palette = (
    (28, 24, 24),
    (45, 33, 27),
    (72, 48, 32),
    (98, 66, 40),
    (122, 62, 36),
    (150, 104, 58),
    (196, 156, 96),
    (222, 196, 140),
    (205, 203, 205),  # dyed silver, at any age
    (120, 60, 90),
)
EYES: Palette = ((70, 44, 28), (92, 60, 34), (60, 88, 120), (84, 120, 150), (78, 104, 70))
CLOTHES: Palette = (
    (52, 74, 110),
    (140, 52, 52),
    (60, 100, 76),
    (210, 200, 180),
    (50, 50, 56),
    (180, 140, 60),
    (120, 90, 140),
)
BACKGROUNDS: Palette = (
    (186, 208, 222),
    (222, 206, 186),
    (150, 176, 150),
    (88, 104, 128),
    (206, 178, 182),
    (120, 112, 104),
    (232, 232, 228),
    (64, 72, 76),
)
