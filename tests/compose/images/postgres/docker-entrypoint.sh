#!/bin/bash
# First start: a cluster, its superuser POSTGRES_USER with a password and its database, made by a server that nobody can reach.
set -eu
[ "${1:-postgres}" = postgres ] || exec "$@"
password() {
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then cat "$POSTGRES_PASSWORD_FILE"; else printf '%s' "${POSTGRES_PASSWORD:-}"; fi
}
mkdir -p "$PGDATA"
chmod 0700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "$(password)" ] || { echo "Error: Database is uninitialized and superuser password is not specified." >&2; exit 1; }
    user=${POSTGRES_USER:-postgres}
    # shellcheck disable=SC2086  # several options in one variable
    initdb --username="$user" --pwfile=<(password; echo) ${POSTGRES_INITDB_ARGS:-}
    printf 'host all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\n" >> "$PGDATA/postgresql.conf"
    pg_ctl -w start -o "-c listen_addresses=''" > /dev/null
    database=${POSTGRES_DB:-$user}
    if [ "$database" != postgres ]; then
        createdb --username="$user" --no-password "$database"
    fi
    pg_ctl -m fast -w stop > /dev/null
fi
exec "$@"
