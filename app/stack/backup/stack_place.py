"""What is the same in both ways to run: addresses, passwords and the settings file."""

import os

from app.core.config import load_settings
from app.stack.backup.settings_file import merged
from app.stack.env_file import read_env_file
from app.stack.files import write_private
from app.stack.stack import Stack


class StackPlace:
    """The part of a `Place` that asks the stack itself."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @property
    def elasticsearch(self) -> tuple[str, tuple[str, str]]:
        """See the protocol."""
        return self._stack.url("elasticsearch"), ("nobet_admin", self._stack.secret("ELASTICSEARCH_ADMIN_PASSWORD"))

    @property
    def prometheus(self) -> str:
        """See the protocol."""
        return self._stack.url("prometheus")

    def settings_text(self) -> str:
        """See the protocol."""
        return self._stack.paths.env_file.read_text(encoding="utf-8")

    def put_settings(self, text: str) -> None:
        """See the protocol."""
        paths = self._stack.paths
        write_private(paths.env_file, merged(text, self.settings_text() if paths.env_file.exists() else ""))
        explicit = {**read_env_file(paths.env_file), **os.environ}
        self._stack = Stack(settings=load_settings(_env_file=paths.env_file), paths=paths, explicit=explicit)
