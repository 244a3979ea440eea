"""nginx's configuration, made from the settings, the ports and the table of sites."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.core.config import Settings
from app.core.ports import LOOPBACK
from app.stack.gateway.sites import APP, SITES, Site, host_of, is_public

HEALTH_PATH: Final = "/gateway/health"
"""Answers 200 under every name, whatever the servers behind the gateway do."""

_SHORTEST_READ_SECONDS: Final = 120
"""A query of Prometheus may take two minutes, its own limit (--query.timeout)."""

_HEAD: Final = """\
# Made by `nobet up` from the settings GATEWAY_*; what is changed here is lost with the next start.
daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
worker_shutdown_timeout 5s;  # WebSockets would hold a stop up for ever
pid {temporary}/nginx.pid;
# Messages of lower levels show addresses and whole request lines, query strings with their secrets among them.
error_log stderr alert;

events {{
    worker_connections 4096;
}}

http {{
    default_type text/plain;
    server_tokens off;
    client_body_temp_path {temporary}/body;
    proxy_temp_path {temporary}/proxy;
    fastcgi_temp_path {temporary}/fastcgi;
    uwsgi_temp_path {temporary}/uwsgi;
    scgi_temp_path {temporary}/scgi;
{resolver}
    # Neither path nor query nor a whole address: the app's own record, found by the request id, says the rest.
    map $remote_addr $client_network {{
        ~^(?<first>\\d+\\.\\d+\\.\\d+)\\.\\d+$ $first.0;
        default "";
    }}
    log_format gateway escape=json
        '{{"timestamp":"$time_iso8601","host":"$server_name","method":"$request_method",'
        '"status":"$status","duration_s":"$request_time","upstream":"$upstream_addr","upstream_status":"$upstream_status",'
        '"client":"$client_network","request_id":"$upstream_http_x_event_id"}}';
    access_log /dev/stdout gateway;

    # Deadlines. The first also bounds the TLS handshake. Bodies are taken whole before a server hears of the request.
    client_header_timeout {header_seconds}s;
    client_body_timeout {body_seconds}s;
    send_timeout 30s;
    keepalive_timeout 30s;
    lingering_timeout 2s;
    lingering_time 10s;
    reset_timedout_connection on;

    # Limits.
    client_header_buffer_size 1k;
    large_client_header_buffers 4 8k;
    client_max_body_size {max_body_bytes};
    limit_req_zone $binary_remote_addr zone=requests:10m rate={requests_per_second}r/s;
    limit_conn_zone $binary_remote_addr zone=connections:10m;
    limit_req zone=requests burst={burst} nodelay;
    limit_conn connections {connections};
    limit_req_status 429;
    limit_conn_status 429;

{certificate}    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
    ssl_prefer_server_ciphers off;
    ssl_session_cache shared:tls:2m;
    ssl_session_tickets off;

    # Security headers, where the server behind has none of its own.
    map $upstream_http_referrer_policy $referrer_policy {{ "" same-origin; default ""; }}
    map $upstream_http_x_frame_options $frame_options {{ "" SAMEORIGIN; default ""; }}
    map $upstream_http_content_security_policy $content_policy {{ "" "frame-ancestors 'self'"; default ""; }}
    map $https $transport_security {{ on "{transport_security}"; default ""; }}
    proxy_hide_header X-Content-Type-Options;
    proxy_hide_header X-Powered-By;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy $referrer_policy always;
    add_header X-Frame-Options $frame_options always;
    add_header Content-Security-Policy $content_policy always;
    add_header Strict-Transport-Security $transport_security always;

    map $http_upgrade $connection_header {{ "" ""; default upgrade; }}
    # A page of another site may not use the password that the browser remembers.
    map "$http_host $http_origin" $foreign_origin {{ "~^\\S* $" ""; "~^(\\S+) https?://\\1$" ""; default 1; }}

    proxy_http_version 1.1;
    proxy_connect_timeout 3s;
    proxy_read_timeout {read_seconds}s;
    proxy_max_temp_file_size 0;

    server {{
{default}
        server_name _;
{common}
        location / {{ return 421; }}
    }}
"""

_FIXED: Final = """\
    ssl_certificate {certificate};
    ssl_certificate_key {key};
"""

_RENEWED: Final = """\
    # A path with a variable in it is read anew with each handshake: a renewed certificate is served without a restart.
    map $ssl_server_name $renewed {{ default {live}; }}
    ssl_certificate $renewed/certificate.pem;
    ssl_certificate_key $renewed/key.pem;
"""

_COMMON: Final = """\
        location = {health} {{ access_log off; return 200 "ok\\n"; }}
        location ^~ /.well-known/acme-challenge/ {{ root {challenges}; }}"""

_REDIRECT: Final = """
    server {{
{listen}
        server_name {names};
{common}
        location / {{ return 308 https://$host{port}$request_uri; }}
    }}
"""

_SERVER: Final = """
    server {{
{listen}
        server_name {names};
{common}
        location = /metrics {{ return 404; }}
        location ^~ /metrics/ {{ return 404; }}
{shut}{programs}        location / {{
{sign_in}{proxy}        }}
    }}
"""

_SIGN_IN: Final = """\
            if ($foreign_origin) {{ return 403; }}
            auth_basic "nobet";
            auth_basic_user_file {users};
            proxy_set_header Authorization "";
"""

_PROXY: Final = """\
            set $server_behind http://{address};
            proxy_pass $server_behind;
            proxy_buffering {buffering};
            proxy_set_header Host {host};
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header Forwarded "";
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where nginx runs and what it finds there."""

    bind: str
    """Listens here, and on loopback in any case: the stack's own questions come from there."""
    plain_port: int
    tls_port: int
    tls_seen: int
    """The port of TLS as clients on this machine see it."""
    address: Callable[[Site], str]
    """host:port of a site."""
    certificate: str
    key: str
    users: str
    challenges: str
    temporary: str
    live: str = ""
    """Folder with certificate.pem and key.pem that somebody renews while nginx runs; instead of `certificate` and `key`."""
    resolver: str = ""
    """Name server, where addresses are names that may move."""


def render_gateway(settings: Settings, place: Place) -> str:
    """The whole configuration. Plain HTTP serves on loopback only; a public gateway answers it with the way to HTTPS."""
    everywhere = place.bind == "0.0.0.0"
    addresses = (place.bind,) if everywhere or not is_public(settings) else (place.bind, LOOPBACK)
    plain = [f"{address}:{place.plain_port}" for address in addresses]
    tls = [f"{address}:{place.tls_port} ssl" for address in addresses]
    common = _COMMON.format(health=HEALTH_PATH, challenges=place.challenges)
    head = _HEAD.format(
        temporary=place.temporary,
        resolver=f"    resolver {place.resolver} valid=10s ipv6=off;\n" if place.resolver else "",
        header_seconds=settings.gateway_header_seconds,
        body_seconds=settings.gateway_body_seconds,
        max_body_bytes=settings.gateway_max_body_bytes,
        requests_per_second=settings.gateway_requests_per_second,
        burst=2 * settings.gateway_requests_per_second,
        connections=settings.gateway_connections,
        certificate=_RENEWED.format(live=place.live) if place.live else _FIXED.format(certificate=place.certificate, key=place.key),
        # A browser that was told so once can't be brought back to a certificate that it doesn't know.
        transport_security="max-age=31536000" if settings.gateway_certificate or settings.gateway_acme_email else "",
        read_seconds=max(_SHORTEST_READ_SECONDS, round(2 * settings.websocket_ping_seconds) + 30),
        default=_listen([f"{one} default_server" for one in (*plain, *tls)]),
        common=common,
    )
    public = is_public(settings)
    listen = _listen(tls if public else [*plain, *tls])
    servers = "".join(_server(settings, place, site, listen, common) for site in (APP, *SITES))
    redirect = ""
    if public:
        port = settings.gateway_https_port or place.tls_seen
        names = " ".join(_names(settings, site) for site in (APP, *SITES))
        redirect = _REDIRECT.format(listen=_listen(plain), names=names, common=common, port="" if port == 443 else f":{port}")
    return f"{head}{redirect}{servers}}}\n"


def _listen(addresses: list[str]) -> str:
    return "\n".join(f"        listen {address};" for address in addresses)


def _server(settings: Settings, place: Place, site: Site, listen: str, common: str) -> str:
    proxy = _PROXY.format(
        address=place.address(site),
        # The app's streams go through as they come; its answers are small, so a slow reader holds nothing of it up.
        buffering="off" if site is APP else "on",
        host=site.host or "$http_host",
    )
    programs = f'        location ~ "{site.programs}" {{\n{proxy}        }}\n' if site.programs else ""
    return _SERVER.format(
        listen=listen,
        names=_names(settings, site),
        common=common,
        shut="".join(f"        location ^~ {path} {{ return 404; }}\n" for path in site.shut),
        programs=programs,
        sign_in="" if site.signs_in else _SIGN_IN.format(users=place.users),
        proxy=proxy,
    )


def _names(settings: Settings, site: Site) -> str:
    own = host_of(site, settings.gateway_host)
    return own if site is not APP else " ".join(dict.fromkeys((own, "localhost", LOOPBACK)))
