#!/usr/bin/env bash
# Writes every generated file. A test repeats this and demands an empty diff.
set -euo pipefail
python=$1
"$python" -m app.core.telemetry.document
