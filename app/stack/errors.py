"""The one kind of failure that people see."""


class StackError(Exception):
    """What went wrong and what to do about it, in one sentence for people."""
