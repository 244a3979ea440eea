"""sentry-sdk as its documentation sets it up, to a server that takes everything. No errors, no traces."""

import os

import sentry_sdk


def start_sentry() -> None:
    """Start it; its integrations for Starlette and FastAPI find the framework by themselves."""
    sentry_sdk.init(dsn=os.environ["BENCH_SENTRY"])
