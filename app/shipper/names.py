"""Names of the indices that belong to a log prefix."""


def dead_prefix(log_prefix: str) -> str:
    """Prefix of the dead-letter indices: `logs-nobet` has `dead-nobet`."""
    return f"dead-{log_prefix.removeprefix('logs-')}"
