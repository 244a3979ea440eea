#!/bin/bash
# Variables whose names look like settings become settings, as in the real image. Settings of modules that this
# distribution lacks would stop it, so they are left out and named.
set -euo pipefail
umask 0002
missing='^(ingest\.geoip\.|xpack\.ml\.)'
arguments=()
while IFS='=' read -r name value; do
    [[ $name =~ ^[a-z0-9_]+\.[a-z0-9_.]+$ ]] || continue
    if [[ $name =~ $missing ]]; then
        echo "stand-in: $name is left out, this distribution has no such module" >&2
    elif [[ -n $value ]]; then
        arguments+=("-E$name=$value")
    fi
done < <(env)
[[ ${1:-eswrapper} == eswrapper ]] || exec "$@"
export ES_JAVA_OPTS="-Des.cgroups.hierarchy.override=/ -Des.queryable_built_in_roles_enabled=false ${ES_JAVA_OPTS:-}"
export CLI_JAVA_OPTS="-Xmx32m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
exec bin/elasticsearch "${arguments[@]}"
