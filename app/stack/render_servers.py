"""Configuration that only the native stack needs: PostgreSQL, Redis, Elasticsearch."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from app.core.ports import LOOPBACK
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.gateway.place import write_gateway
from app.stack.launch import LATER_TARGETS
from app.stack.render import render_alertmanager, render_prometheus, render_shared, smarthost
from app.stack.secret_files import elasticsearch_user_files, write_secret_files
from app.stack.stack import Stack
from app.stack.targets import native_targets, write_targets

_POSTGRESQL_CONF: Final = """\
listen_addresses = '{host}'
port = {port[postgres]}
unix_socket_directories = ''
hba_file = '{etc}/postgres/pg_hba.conf'
max_connections = 100
shared_buffers = 64MB
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
jit = off
"""

_PG_HBA_CONF: Final = """\
# Passwords only, from this machine only. The superuser has no password, so nobody signs in as it.
host all all 127.0.0.1/32 scram-sha-256
"""

_REDIS_CONF: Final = """\
bind {host}
port {port[redis]}
requirepass {secret[REDIS_PASSWORD]}
dir "{data}"
daemonize no
appendonly yes
save ""
maxmemory 128mb
maxmemory-policy allkeys-lru
"""

_ELASTICSEARCH_YML: Final = """\
cluster.name: nobet
node.name: nobet-1
discovery.type: single-node
network.host: {host}
http.port: {port[elasticsearch]}
transport.port: {port[elasticsearch_transport]}
path.data: "{data}"
path.logs: "{log}"
path.repo: ["{data}-snapshots"]

# Users and roles come from files beside this one. The other realms keep theirs in an index
# that this distribution can't create.
xpack.security.enabled: true
xpack.security.http.ssl.enabled: false
xpack.security.transport.ssl.enabled: false
xpack.security.enrollment.enabled: false
xpack.security.autoconfiguration.enabled: false
xpack.security.authc.reserved_realm.enabled: false
xpack.security.authc.realms.file.files.order: 0
xpack.security.authc.realms.native.none.enabled: false
xpack.security.authc.api_key.enabled: false
xpack.security.authc.token.enabled: false

# In absolute numbers: percentages make a large, well-used disk read-only with plenty of room left.
cluster.routing.allocation.disk.watermark.low: 2gb
cluster.routing.allocation.disk.watermark.high: 1gb
cluster.routing.allocation.disk.watermark.flood_stage: 512mb
action.auto_create_index: "logs-*,events-*,dead-*,jaeger-*"
"""

_JVM_OPTIONS: Final = """\
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-XX:ErrorFile={log}/elasticsearch-crash-%p.log
-Djava.io.tmpdir=${{ES_TMPDIR}}
"""

_LOG4J2: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def render_all(stack: Stack, components: Collection[str], later: Collection[str] = ()) -> None:
    """Write every configuration and secret file of the native stack. Unchanged files keep their time stamps.

    `later` are components that are still to be built: Prometheus hears of them when they are there.
    """
    etc = stack.paths.etc
    write_secret_files(stack)
    for name, text in (
        ("postgres/postgresql.conf", _POSTGRESQL_CONF),
        ("postgres/pg_hba.conf", _PG_HBA_CONF),
        ("redis/redis.conf", _REDIS_CONF),
        ("elasticsearch/elasticsearch.yml", _ELASTICSEARCH_YML),
        ("elasticsearch/jvm.options", _JVM_OPTIONS),
    ):
        _write(etc / name, stack.expand(text, name.split("/", maxsplit=1)[0]))
    _write(etc / "elasticsearch" / "log4j2.properties", _LOG4J2)
    for name, text in elasticsearch_user_files(stack).items():
        _write(etc / "elasticsearch" / name, text)
    if "gateway" in components:
        write_gateway(stack)
    try:
        render_shared(etc)
        render_prometheus(stack.settings, etc / "prometheus", set(components) - set(later))
        write_targets(etc / LATER_TARGETS, native_targets(components, offset=stack.offset, env=stack.settings.environment))
        mail = smarthost(stack.settings, f"{LOOPBACK}:{stack.port('inbox_smtp')}")
        alertmanager = render_alertmanager(stack.settings, smarthost=mail, secrets=str(stack.paths.secrets), oncall=stack.url("oncall"))
        _write(etc / "alertmanager" / "alertmanager.yml", alertmanager)
    except FileNotFoundError as error:
        raise StackError(f"The checkout lacks {error.filename}. Restore it (`git status` shows what is missing) and run again.") from None


def _write(path: Path, text: str) -> None:
    write_private(path, text)
