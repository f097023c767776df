"""The one exception meant for the user; imports nothing, so that commands start at once."""


class UserError(Exception):
    """A user's mistake, told in one message: what happened, what was expected, what to do."""
