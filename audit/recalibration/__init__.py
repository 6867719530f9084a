"""Ways to recalibrate predictions, each fitted on some people and applied to others.

``core.py`` holds what they share, one file each way, and ``run.py`` the order of the work.
"""
