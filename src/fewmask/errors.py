"""The exceptions meant for the user; imports almost nothing, so that commands start at once."""

import signal


class UserError(Exception):
    """A user's mistake, told in one message: what happened, what was expected, what to do."""


class Stopped(KeyboardInterrupt):
    """A signal has stopped a run, which has saved its state and said how to continue.

    As it is a `KeyboardInterrupt`, a script does not go on with a network that is half trained.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT):
        super().__init__(number)
        self.number = int(number)
