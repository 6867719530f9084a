"""``data split``: who goes into which part, who must stay together, and who did not."""
