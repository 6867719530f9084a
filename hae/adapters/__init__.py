"""Other people's models: a spec says what goes in and what comes out."""
