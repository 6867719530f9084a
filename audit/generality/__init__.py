"""The grid of backbones x aggregators x seeds: does a gain hold on every backbone, and for whom."""
