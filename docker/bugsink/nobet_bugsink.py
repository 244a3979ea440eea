"""Bugsink's settings. Bugsink reads this file itself; what varies comes by environment, secrets also by file (`NAME_FILE`)."""

import os
from pathlib import Path

from bugsink.settings.default import *  # noqa: F403
from bugsink.settings.default import DATABASES


def secret(name: str) -> str:
    """A secret of this name, or the content of the file that `NAME_FILE` names."""
    return os.environ.get(name) or Path(os.environ[f"{name}_FILE"]).read_text(encoding="utf-8").strip()


_data = Path(os.environ["BUGSINK_DATA"])

SECRET_KEY = secret("ERROR_TRACKER_SECRET_KEY")
SENTRY_DSN = None  # it does not report its own errors anywhere
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "error-tracker"]

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
