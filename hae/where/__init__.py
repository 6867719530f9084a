"""Where a model looks: maps of a face, reduced to the regions of the canonical face."""
