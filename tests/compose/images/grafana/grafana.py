"""Stands in for Grafana, which no package registry has: reads its provisioning, keeps state where Grafana keeps it, and
proxies to its data sources with the credentials that provisioning gives it. It draws nothing and evaluates nothing.
"""

import base64
import json
import os
import re
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

PROVISIONING = Path(os.environ["GF_PATHS_PROVISIONING"])
STATE = Path(os.environ["GF_PATHS_DATA"]) / "grafana.db"


def expand(value: Any) -> Any:
    """Variables in provisioning files, as Grafana replaces them: ${NAME} and $NAME, and $$ for a dollar."""
    if isinstance(value, dict):
        return {key: expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\$(?:(\$)|\{(\w+)\}|(\w+))", lambda m: "$" if m[1] else os.environ.get(m[2] or m[3], ""), value)


def provisioned(kind: str, key: str) -> list[dict[str, Any]]:
    """What the files of one kind declare."""
    files = sorted((PROVISIONING / kind).glob("*.y*ml"))
    return [expand(item) for file in files for item in yaml.safe_load(file.read_text(encoding="utf-8")).get(key, [])]


def boards() -> dict[str, Any]:
    """Dashboards by uid, from the folders that the providers name."""
    folders = [Path(provider["options"]["path"]) for provider in provisioned("dashboards", "providers")]
    loaded = [json.loads(file.read_text(encoding="utf-8")) for folder in folders for file in sorted(folder.glob("*.json"))]
    return {board["uid"]: board for board in loaded}


class Pages(BaseHTTPRequestHandler):
    """The calls that our stack makes, and those that a person's check would make."""

    def do_GET(self) -> None:
        """Answer by path; beyond the first three only to the administrator."""
        path = self.path.partition("?")[0]
        status, body = OPEN.get(path) or (_page(path, self.path) if self._is_signed_in() else (401, b'{"message": "Unauthorized"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_signed_in(self) -> bool:
        wanted = f"{os.environ.get('GF_SECURITY_ADMIN_USER', 'admin')}:{os.environ.get('GF_SECURITY_ADMIN_PASSWORD', 'admin')}"
        return self.headers.get("Authorization") == "Basic " + base64.b64encode(wanted.encode()).decode()

    def log_message(self, *_: object) -> None:
        """Quiet: a health check a second would fill the log."""


OPEN = {
    "/api/health": (200, b'{"database": "ok", "version": "stand-in"}'),
    "/metrics": (200, b"# TYPE grafana_build_info gauge\ngrafana_build_info 1\n"),
    "/login": (200, b"<title>Grafana</title>"),
}


def _page(path: str, full: str) -> tuple[int, bytes]:
    if path == "/api/datasources":
        return 200, json.dumps([{k: v for k, v in source.items() if k != "secureJsonData"} for source in SOURCES.values()]).encode()
    if path == "/api/search":
        return 200, json.dumps([{"uid": uid, "title": board["title"]} for uid, board in BOARDS.items()]).encode()
    proxied = re.fullmatch(r"/api/datasources/proxy/uid/([\w-]+)(/.*)", full)
    if proxied and proxied[1] in SOURCES:
        return _proxy(SOURCES[proxied[1]], proxied[2])
    return 404, b'{"message": "Not found"}'


def _proxy(source: dict[str, Any], path: str) -> tuple[int, bytes]:
    request = urllib.request.Request(source["url"] + path)  # noqa: S310  the provisioned addresses
    if source.get("basicAuth"):
        pair = f"{source['basicAuthUser']}:{source['secureJsonData']['basicAuthPassword']}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 502, str(error).encode()


if __name__ == "__main__":
    starts = int(STATE.read_text()) + 1 if STATE.exists() else 1
    STATE.write_text(str(starts))  # fails on a volume that the user may not write
    SOURCES = {source["uid"]: source for source in provisioned("datasources", "datasources")}
    BOARDS = boards()
    sys.stdout.write(f"stand-in: {len(SOURCES)} data sources, {len(BOARDS)} dashboards, start {starts}\n")
    sys.stdout.flush()
    ThreadingHTTPServer(("0.0.0.0", 3000), Pages).serve_forever()
