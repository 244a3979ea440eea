#!/usr/bin/env bash
# Every test: those in containers, which need the machine to themselves, then all others in parallel. Both, also when the first ones fail.
set -uo pipefail
pytest=$1 processes=$2

bash scripts/docker_engine.sh
engine=$?
containers=0
if [ $engine = 0 ]; then
    echo "The stack in containers (8 min) …"
    "$pytest" tests/compose
    containers=$?
elif [ $engine != 3 ]; then
    containers=1
fi

echo "All other tests (40 min) …"
"$pytest" -n "$processes" --ignore=tests/compose
others=$?

[ $containers = 0 ] || echo "Failed: the tests in containers, see further up." >&2
if [ $engine = 3 ]; then
    echo "Not run: the tests in containers, which this machine can't start; the reason is further up." >&2
    # A machine that is there to run everything has failed when it could not.
    [ "${CI:-}" != true ] || containers=1
fi
[ $containers = 0 ] && [ $others = 0 ]
