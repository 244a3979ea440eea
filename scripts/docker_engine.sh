#!/usr/bin/env bash
# What the tests in containers need: a Docker engine to start, and what makes the images. REAL=1 takes the engine that runs.
# Exit code 3: this machine can't have it.
set -euo pipefail
if [ "${REAL:-}" = 1 ]; then
    docker info >/dev/null 2>&1 || { echo "No Docker engine answers. Start it, or leave out REAL=1: the tests then start one of their own." >&2; exit 1; }
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "The tests in containers start a Docker engine of their own, which only root may do." >&2
    echo "With an engine that runs already and with the real images: make test-compose REAL=1" >&2
    exit 3
fi
if docker info >/dev/null 2>&1; then
    echo "A Docker engine runs here; a second one for the tests in containers could disturb it. With this one and the real images:" >&2
    echo "make test-compose REAL=1" >&2
    exit 3
fi
# Two whole stacks run beside each other for a while, each with limits of 6 GiB and 2 to 3 GiB in use.
if [ "$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)" -lt 9 ]; then
    echo "The tests in containers need 9 GiB of free memory for two stacks beside each other." >&2
    exit 3
fi
missing=()
for pair in dockerd:docker.io iptables:iptables debootstrap:debootstrap; do
    command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "The tests in containers start a Docker engine of their own, with Debian's packages ${missing[*]}." >&2
    echo "With an engine that runs already and with the real images: make test-compose REAL=1" >&2
    exit 3
fi
echo "Installing ${missing[*]} …"
apt-get update -q >/dev/null
# RUNLEVEL=1: nothing is started, the tests start the engine themselves, on a private socket.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
