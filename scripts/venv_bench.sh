#!/usr/bin/env bash
# Makes the bench's own environment (.venv-bench): what users install, and the peers that we are measured against.
set -euo pipefail
python=$1 venv=$2
[ "$venv/.ready" -nt requirements/bench.txt ] && exit 0
echo "Installing the bench's peers into $venv (about a minute the first time) …"
if command -v uv >/dev/null; then
  uv venv --quiet --allow-existing --python "$python" "$venv"
  VIRTUAL_ENV=$venv uv pip sync --quiet --require-hashes requirements/bench.txt
else
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/bench.txt
fi
touch "$venv/.ready"
