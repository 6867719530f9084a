"""A static site of records: an index, a page each, trends, a feed; no server is needed."""
