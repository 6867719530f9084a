"""Training: data, steps, validation, resume."""
