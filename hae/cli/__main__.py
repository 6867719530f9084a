"""``python -m hae.cli``."""

from hae.cli import main

if __name__ == "__main__":
    main()
