"""The error tracker: Bugsink, which takes what Sentry's SDKs send.

Bugsink is free to run for oneself, under the PolyForm Shield licence; it is installed into an environment of its
own and nothing of it is part of this project. Any other Sentry-compatible server does as well: set SENTRY_DSN.
"""

from typing import Final

from app.stack.model import Component, Http, Pip

ERROR_TRACKER: Final = Component(
    name="error_tracker",
    title="Error tracker",
    sources=(Pip("bugsink", "2.6.1"),),
    arguments=(
        "-m",
        "gunicorn",
        "--bind={host}:{port[error_tracker]}",
        "--workers=1",
        "--threads=4",
        "--no-control-socket",
        "bugsink.wsgi",
    ),
    ports=("error_tracker",),
    probe=Http("error_tracker", "/health/ready"),
    env={
        "PYTHONPATH": "{etc}/error_tracker",
        "DJANGO_SETTINGS_MODULE": "nobet_bugsink",
        "PYTHONDONTWRITEBYTECODE": "1",  # a cache beside its settings would look like changed settings
        "BUGSINK_DATA": "{data}",
        "BASE_URL": "http://{host}:{port[error_tracker]}",
        "EMAIL_HOST": "{host}",
        "EMAIL_PORT": "{port[inbox_smtp]}",
        "DEFAULT_FROM_EMAIL": "{settings.alert_email_from}",
        "ERROR_TRACKER_SECRET_KEY": "{secret[ERROR_TRACKER_SECRET_KEY]}",
        "ERROR_TRACKER_ADMIN_PASSWORD": "{secret[ERROR_TRACKER_ADMIN_PASSWORD]}",
        "ERROR_TRACKER_TOKEN": "{secret[ERROR_TRACKER_TOKEN]}",
        "ERROR_TRACKER_KEY": "{error_key}",
    },
    outlives=("app", "voice", "shipper"),  # their last error events
    config=("error_tracker",),
    prepare="error_tracker",
    optional=True,
    page="/",
    login="admin@nobet.example / ERROR_TRACKER_ADMIN_PASSWORD",
)

ERRORS: Final = (ERROR_TRACKER,)
