#!/usr/bin/env bash
# Writes every file that is made from declarations. With --check it fails when one was out of date.
set -euo pipefail
python=$1
files() { cat .env.example docs/telemetry.md docs/runbook.md docker/elasticsearch/templates/*.json prometheus/rules/*.yml prometheus/tests/slo*.yml prometheus/targets/native/*.yml grafana/dashboards/*.json 2>/dev/null | sha256sum; }
before=$(files)
"$python" -m app.core.telemetry.document
"$python" -m prometheus.generator
"$python" -m grafana.generator
"$python" -m app.stack.targets
if [ "${2:-}" = --check ] && [ "$before" != "$(files)" ]; then
  echo "Generated files were out of date and have been written anew: look at git diff and commit them." >&2
  exit 1
fi
