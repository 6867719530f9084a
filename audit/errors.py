"""The one error that a user of the toolkit is meant to read."""


class InputError(ValueError):
    """Bad input or usage. The message names place, rule, value and remedy, in one line.

    The command line prints it and exits with 2; nothing half-written is left behind.
    """
