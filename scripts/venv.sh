#!/usr/bin/env bash
# Makes the virtual environment from the pinned, hashed requirements: with uv where there is one, else with pip.
set -euo pipefail
python=$1 venv=$2
"$python" - <<'PY' || { echo "Nöbet needs Python 3.11 or newer as $python. Install it, or run: make PYTHON=/path/to/python3" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
echo "Making the Python environment in $venv (about a minute the first time) …"
if command -v uv >/dev/null; then
  uv venv --quiet --allow-existing --python "$python" "$venv"
  VIRTUAL_ENV=$venv uv pip sync --quiet --require-hashes requirements/dev.txt
else
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || {
    echo "Python can't make virtual environments here. On Debian: apt-get install python3-venv" >&2; exit 1; }
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
fi
# The command `nobet`, without installing the package: it runs from this folder.
cat > "$venv/bin/nobet" <<SH
#!/usr/bin/env bash
cd "$(pwd)" && exec "$(cd "$venv" && pwd)/bin/python" -m app.cli "\$@"
SH
chmod +x "$venv/bin/nobet"
