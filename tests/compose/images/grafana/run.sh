#!/bin/bash
# GF_<NAME>__FILE names a file with the value of GF_<NAME>, as in the real image.
set -euo pipefail
for name in $(compgen -e | grep -E '^GF_.+__FILE$' || true); do
    plain=${name%__FILE}
    if [ -n "${!plain:-}" ]; then
        echo "error: both $plain and $name are set" >&2
        exit 1
    fi
    value=$(< "${!name}")
    export "$plain=$value"
    unset "$name"
done
exec python3 /grafana.py
