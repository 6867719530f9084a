"""Reports: one self-contained HTML page from an audit record."""
