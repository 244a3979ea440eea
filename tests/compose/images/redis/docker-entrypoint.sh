#!/bin/sh
# A first argument that is an option or a configuration file is meant for the server.
set -e
case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
exec "$@"
