"""sentry-sdk with its FastAPI integration and nothing else."""

from fastapi import FastAPI

from bench.request_path.apps.bare import write_lines
from bench.request_path.apps.endpoints import add_endpoints
from bench.request_path.apps.sentry import start_sentry

start_sentry()
app = FastAPI()
add_endpoints(app, write_lines)
