"""What is to be undone, on disk before it is done: a drill that is killed leaves the list, and the next one works it off."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Step = dict[str, Any]
"""`do` names the action, the rest are its arguments; see `app.stack.drill.hands`."""


class Journal:
    """Steps in the order in which their faults were done; they are undone backwards."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._steps: list[Step] = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def __len__(self) -> int:
        return len(self._steps)

    def plan(self, step: Step) -> None:
        """Note how to undo what is done next."""
        self._steps.append(step)
        self._save()

    def undo(self, perform: Callable[[Step], None], keep: int = 0) -> list[str]:
        """Perform all but the first `keep` steps, the last one first. A step that fails stays, and does not stop the others.

        Returns what failed.
        """
        failed: list[Step] = []
        sentences: list[str] = []
        while len(self._steps) > keep:
            step = self._steps[-1]
            try:
                perform(step)
            except Exception as error:  # noqa: BLE001 (whatever fails, the rest must be undone)
                failed.insert(0, step)
                sentences.append(f"{step['do']} {step.get('what', '')}: {error}".strip())
            self._steps.pop()
            self._write([*self._steps, *failed])
        self._steps += failed
        self._save()
        return sentences

    def _save(self) -> None:
        self._write(self._steps)

    def _write(self, steps: list[Step]) -> None:
        if not steps:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # configuration may hold what is nobody's business
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(step) + "\n" for step in steps))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
