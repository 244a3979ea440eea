"""The four commands. Each returns an exit code: 0 fine, 1 failed or something stays, 2 wrong use."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from app.clients.dead_letters import DeadLetterStore, Letter, Selection
from app.clients.elasticsearch import BulkClient, sign_in
from app.core import context
from app.core.config import Settings
from app.core.logger import get_logger
from app.core.terminal import screen, show
from app.shipper.letters import view
from app.shipper.letters.replay import Addresses, Outcome, Prepared, Resender

BATCH_LETTERS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
COMPONENT: Final = "dead-letters"

PREVIEW_LETTERS: Final = 20

FAILED: Final = 1

log = get_logger(__name__)


class Commands:
    """Work on the dead letters of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._store: Final = DeadLetterStore(settings)
        self._screen: Final = screen()
        self._progress: Final = Console(stderr=True, highlight=False, markup=False)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def list_letters(self, selection: Selection, most: int, *, as_json: bool) -> int:
        """The newest letters, and how many there are for each reason."""
        self._store.refresh()
        reasons = self._store.by_reason(selection)
        letters = list(self._store.find(selection, most or None))
        if as_json:
            found = {"count": reasons.total(), "by_reason": dict(reasons), "letters": [view.document(letter) for letter in letters]}
            sys.stdout.write(view.as_json(found))
            return 0
        if not letters:
            self._say("No dead letters." if selection.is_all else "No dead letter fits.")
            return 0
        show(self._screen, lambda console: view.print_list(console, letters))
        shown = f" The {len(letters):,} newest are shown; --limit 0 shows all." if len(letters) < reasons.total() else ""
        self._say(f"\n{view.by_reason(reasons)}.{shown}")
        self._hint("nobet dead-letters show ID     the whole line, and why it was refused")
        self._hint("nobet dead-letters replay      send them again; --dry-run says what would be sent")
        return 0

    def show_letter(self, ident: str, *, as_json: bool, raw: bool) -> int:
        """One letter, its line in full; or its JSON; or nothing but the line."""
        self._store.refresh()
        letter = next(self._store.find(Selection(idents=(ident,)), 1), None)
        if letter is None:
            return _fail(f"There is no dead letter {ident}. `nobet dead-letters list` shows what there is.")
        if raw:
            sys.stdout.write(letter.text("raw") + "\n")
        elif as_json:
            sys.stdout.write(view.as_json(view.document(letter)))
        else:
            show(self._screen, lambda console: view.print_letter(console, letter))
            if request := letter.text("request_id"):
                self._hint(f"\nnobet story {request}     the request that it belongs to")
            self._hint(f"nobet dead-letters replay {ident}")
        return 0

    def replay(self, selection: Selection, *, repair: bool, dry_run: bool, as_json: bool) -> int:
        """Send letters again, and delete those whose record Elasticsearch has now."""
        self._store.refresh()
        total = self._store.by_reason(selection).total()
        if missing := self._missing(selection, total):
            return missing
        if not total:
            self._say("No dead letters. There is nothing to replay." if selection.is_all else "No dead letter fits; nothing was sent.")
            return 0
        addresses = Addresses(self._settings)
        prepared = (addresses.prepare(letter, repair=repair) for letter in self._store.find(selection))
        if dry_run:
            return self._tell_plan(list(prepared))
        outcomes = self._send_all(prepared, total)
        return self._tell_end(outcomes, as_json=as_json, repair=repair)

    def would_drop(self, selection: Selection, *, nothing: int) -> int:
        """Say which letters would go; the exit code `nothing` when none would."""
        self._store.refresh()
        reasons = self._store.by_reason(selection)
        if missing := self._missing(selection, reasons.total()):
            return missing
        if not reasons:
            self._say("No dead letter fits; nothing would go.")
            return nothing
        letters = list(self._store.find(selection, PREVIEW_LETTERS))
        show(self._screen, lambda console: view.print_list(console, letters))
        more = f" The {len(letters)} newest are shown." if len(letters) < reasons.total() else ""
        self._say(f"\n{view.by_reason(reasons)} would go for good, the lines with them.{more}")
        return 0

    def drop(self, selection: Selection) -> int:
        """Delete letters for good."""
        self._store.refresh()
        reasons = self._store.by_reason(selection)
        if missing := self._missing(selection, reasons.total()):
            return missing
        gone = 0
        for page in _pages(self._store.find(selection)):
            gone += self._store.delete(page)
            if gone < reasons.total():
                self._progress.print(f"{gone:,} of {reasons.total():,} deleted", style="dim")
        self._store.refresh()
        if gone:
            with context.run(COMPONENT):
                log.warning("Dead letters were deleted by hand", event="dead_letters.dropped", count=gone, reasons=dict(reasons))
        self._say(f"{view.counted(gone)} deleted.")
        return 0

    def _missing(self, selection: Selection, total: int) -> int:
        """Complain about ids that are no letter's."""
        if not selection.idents or total >= len(set(selection.idents)):
            return 0
        known = {letter.ident for letter in self._store.find(selection)}
        unknown = [ident for ident in selection.idents if ident not in known]
        return _fail(f"There is no dead letter {unknown[0]} that fits. `nobet dead-letters list` shows what there is; nothing was changed.")

    def _send_all(self, prepared: Iterable[Prepared | Outcome], total: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with self._sending() as resender:
            for batch in _batches(prepared):
                ready = [one for one in batch if isinstance(one, Prepared)]
                outcomes += [one for one in batch if isinstance(one, Outcome)]
                if ready:
                    found = resender.send(ready)
                    self._store.delete([outcome.letter for outcome in found if outcome.delivered])
                    outcomes += found
                if len(outcomes) < total:
                    self._progress.print(f"{len(outcomes):,} of {total:,} done", style="dim")
        self._store.refresh()
        return outcomes

    @contextmanager
    def _sending(self) -> Iterator[Resender]:
        settings = self._settings
        auth, seconds = sign_in(settings, "shipper"), settings.shipper_timeout_seconds
        client = BulkClient(settings.elasticsearch_url, auth, timeout=seconds, connections=1)
        try:
            yield Resender(client)
        finally:
            client.close()

    def _tell_plan(self, prepared: list[Prepared | Outcome]) -> int:
        ready = [one for one in prepared if isinstance(one, Prepared)]
        for index, count in sorted(Counter(one.index for one in ready).items()):
            self._say(f"{view.counted(count)} would be sent to {index}")
        if moved := Counter(name for one in ready for name in one.moved):
            self._say("Under `extra` would go: " + ", ".join(f"{name} ({count:,})" for name, count in moved.most_common()))
        show(self._screen, lambda console: view.print_outcomes(console, [one for one in prepared if isinstance(one, Outcome)]))
        self._hint("Nothing was sent.")
        return 0

    def _tell_end(self, outcomes: list[Outcome], *, as_json: bool, repair: bool) -> int:
        fates = Counter(outcome.fate for outcome in outcomes)
        stay = [outcome for outcome in outcomes if not outcome.delivered]
        done = len(outcomes) - len(stay)
        if done:
            with context.run(COMPONENT):
                log.info("Dead letters were replayed", event="dead_letters.replayed", count=done, left=len(stay), repaired=repair)
        if as_json:
            found = [{"id": one.letter.ident, "fate": one.fate, "why": one.why, "moved": list(one.moved)} for one in outcomes]
            sys.stdout.write(view.as_json({"stored": fates["stored"], "present": fates["present"], "stay": len(stay), "letters": found}))
            return FAILED if stay else 0
        show(self._screen, lambda console: view.print_outcomes(console, stay))
        known = f", {fates['present']:,} of them from before" if fates["present"] else ""
        stored = f"{view.counted(done, 'record')} {'is' if done == 1 else 'are'} in Elasticsearch{known}" if done else "Nothing was stored"
        self._say(f"{stored}; {view.counted(len(stay))} left.")
        if any(outcome.fate == "refused" for outcome in stay) and not repair:
            self._hint("Mend the mapping and replay again; or replay with --repair, which puts what does not fit under `extra`.")
        if stay:
            self._hint("nobet dead-letters show ID     the whole line; nobet dead-letters drop ID deletes it for good")
        return FAILED if stay else 0

    def _say(self, line: str) -> None:
        sys.stdout.write(line + "\n")

    def _hint(self, line: str) -> None:
        """Where to look next: not part of what a script reads."""
        sys.stdout.flush()
        self._progress.print(line, style="dim", soft_wrap=True)


def _pages(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    page: list[Letter] = []
    for letter in letters:
        page.append(letter)
        if len(page) >= BATCH_LETTERS:
            yield page
            page = []
    if page:
        yield page


def _batches(prepared: Iterable[Prepared | Outcome]) -> Iterator[list[Prepared | Outcome]]:
    batch: list[Prepared | Outcome] = []
    size = 0
    for one in prepared:
        length = len(one.line) if isinstance(one, Prepared) else 0
        if batch and (len(batch) >= BATCH_LETTERS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch


def _fail(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return FAILED
