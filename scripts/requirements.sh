#!/usr/bin/env bash
# Compiles requirements/*.txt from pyproject.toml: pins with hashes, no registry addresses.
set -euo pipefail
command -v uv >/dev/null || { echo "This needs uv: pip install uv" >&2; exit 1; }
options=(--quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header)
uv pip compile "${options[@]}" pyproject.toml --output-file requirements/base.txt
uv pip compile "${options[@]}" --group dev pyproject.toml --output-file requirements/dev.txt
uv pip compile "${options[@]}" --prerelease=if-necessary-or-explicit --constraint requirements/base.txt --group bench pyproject.toml --output-file requirements/bench.txt
uv pip compile "${options[@]}" app/stack/pip/bugsink/requirements.in --output-file app/stack/pip/bugsink/requirements.txt
