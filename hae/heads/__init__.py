"""From an embedding to an age, and what is minimised."""
