"""loguru with serialize=True."""

from pathlib import Path

from loguru import logger

from bench.formatter.call import CONTEXT, MESSAGE, Calls


def make(folder: Path) -> Calls:
    """Its file sink; the request's fields bound by contextualize."""
    logger.remove()
    logger.add(folder / "loguru.log", serialize=True, level="INFO")
    logger.contextualize(**CONTEXT).__enter__()

    def call() -> None:
        logger.info(MESSAGE, user_id="u-48213", count=9, duration_ms=12.5, source="database", cached=False)

    return {"loguru": call}
