#!/usr/bin/env bash
# What the tests in containers need: a Docker engine to start, and what makes the images. REAL=1 takes the engine that runs.
# Exit code 3: this machine can't have it.
set -euo pipefail
if [ "${REAL:-}" = 1 ]; then
    docker info >/dev/null 2>&1 || { echo "No Docker engine answers. Start it, or leave out REAL=1: the tests then start one of their own." >&2; exit 1; }
    exit 0
fi
missing=()
for pair in dockerd:docker.io iptables:iptables debootstrap:debootstrap; do
    command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests in containers start a Docker engine of their own: as root, with Debian's packages ${missing[*]}." >&2
    echo "With an engine that runs already and with the real images: make test-compose REAL=1" >&2
    exit 3
fi
echo "Installing ${missing[*]} …"
apt-get update -q >/dev/null
# RUNLEVEL=1: nothing is started, the tests start the engine themselves, on a private socket.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
