"""The networks: the hierarchical attention age estimator."""
