"""Ways to make one embedding of K views."""
