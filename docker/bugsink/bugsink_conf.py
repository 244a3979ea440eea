"""Bugsink's settings for the native stack. Bugsink reads this file itself; everything variable comes by environment."""

import os
from pathlib import Path

from bugsink.settings.default import *  # noqa: F403
from bugsink.settings.default import DATABASES

_data = Path(os.environ["BUGSINK_DATA"])

SECRET_KEY = os.environ["SECRET_KEY"]
SENTRY_DSN = None  # it does not report its own errors anywhere
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

DATABASES["default"]["NAME"] = str(_data / "bugsink.sqlite3")
DATABASES["snappea"]["NAME"] = str(_data / "tasks.sqlite3")

# Events are digested while they are taken, so no second process is needed; clients send from a thread of their own.
SNAPPEA = {"TASK_ALWAYS_EAGER": True}

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ["EMAIL_HOST"]
EMAIL_PORT = int(os.environ["EMAIL_PORT"])
EMAIL_TIMEOUT = 2
SERVER_EMAIL = DEFAULT_FROM_EMAIL = os.environ["DEFAULT_FROM_EMAIL"]

BUGSINK = {
    "BASE_URL": os.environ["BASE_URL"],
    "SITE_TITLE": "Errors",
    "PHONEHOME": False,
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "USER_REGISTRATION": "CB_NOBODY",
    "INGEST_STORE_BASE_DIR": str(_data / "ingestion"),
    "MAX_EVENT_AGE_DAYS": 90,
}
