"""starlette_exporter for metrics; uvicorn's access log and the application's records through python-json-logger."""

from fastapi import FastAPI
from starlette_exporter import PrometheusMiddleware, handle_metrics

from bench.request_path.apps.endpoints import add_endpoints
from bench.request_path.apps.json_logging import use_json, write_lines

use_json("uvicorn", "uvicorn.error", "uvicorn.access")
app = FastAPI()
app.add_middleware(PrometheusMiddleware, app_name="bench", group_paths=True)
app.add_route("/metrics", handle_metrics)
add_endpoints(app, write_lines)
