"""What people may do in Grafana."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody may do: look; make own dashboards and alerts; everything, people and data sources included."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
