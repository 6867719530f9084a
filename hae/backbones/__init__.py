"""Networks that see one view, and their first weights."""
