"""What `nobet backup` and `nobet restore` do and print. Each returns an exit code; failures are StackErrors."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from app.core.terminal import screen
from app.stack.backup.place import Place
from app.stack.backup.report import report_failure, report_success
from app.stack.backup.restore import restore_backup, verify_backup
from app.stack.backup.save import VERIFY, Keep, make_backup, present
from app.stack.backup.sealed import Key
from app.stack.backup.shelf import Shelf, read_manifest
from app.stack.backup.view import human, print_list, print_stores, rows_of, seconds, stopwatch, telling
from app.stack.errors import StackError
from app.stack.mode import Mode, effective
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack


def backup(stack: Stack, mode: Mode, to: str) -> int:
    """Save everything, say what it takes and how to bring it back."""
    console = screen()
    shelf, key, place = shelf_of(stack, to), key_of(stack), place_of(stack, mode)
    keep = Keep(stack.settings.backup_keep, stack.settings.backup_days)
    rows = {**{step.store: step.title for step in present(place)}, VERIFY: "Backup"}
    began = time.monotonic()
    with stopwatch() as took:
        try:
            with telling(console, rows) as tell:
                made = make_backup(place, shelf, key, keep, stack.settings.app_version, tell)
        except BaseException as error:
            report_failure(stack, mode, error, began)
            raise
    noted = report_success(stack, mode, made.manifest)
    console.print()
    print_stores(console, made.manifest)
    console.print(f"\nSaved and read back in {seconds(took[0])}: {made.path}", style="bold", soft_wrap=True)
    if not noted:
        console.print("The cleanup process could not note it (see above), so its alerts don't know of this backup.", style="yellow")
    if made.removed:
        console.print(f"Too old and removed: {', '.join(made.removed)}")
    console.print(f"Bring it back, into an empty stack: nobet restore {made.path}", soft_wrap=True)
    console.print("It opens with the key of this stack only. Keep that somewhere else, too: nobet backup key")
    return 0


def list_backups(stack: Stack, to: str, *, as_json: bool) -> int:
    """Show what there is. Needs no key."""
    shelf = shelf_of(stack, to)
    manifests, bad = [], []
    for path in shelf.paths():
        try:
            manifests.append(read_manifest(path))
        except StackError as error:
            bad.append(str(error))
    if as_json:
        content = [{**asdict(manifest), "path": str(shelf.folder / manifest.name)} for manifest in manifests]
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        console = screen()
        if manifests:
            print_list(console, manifests)
        for path in shelf.unfinished():
            console.print(f"{path.name}: under way, or interrupted; the next backup clears it away")
        count = "1 backup" if len(manifests) == 1 else f"{len(manifests)} backups"
        console.print(
            f"{count} in {shelf.folder}. " + ("Prove one: nobet backup verify NAME" if manifests else "Make one: nobet backup"),
            soft_wrap=True,
        )
    for sentence in bad:
        sys.stderr.write(f"{sentence}\n")
    return 1 if bad else 0


def verify(stack: Stack, names: list[str], to: str, key_file: str) -> int:
    """Read backups back; without names the newest. 1 when one is not intact."""
    shelf, key, console = shelf_of(stack, to), key_of(stack, key_file), screen()
    bad = 0
    for path in [shelf.find(name) for name in names or [""]]:
        try:
            with stopwatch() as took, telling(console, {VERIFY: path.name}) as tell:
                manifest = verify_backup(path, key, lambda text, tell=tell: tell(VERIFY, "reading back", text))  # type: ignore[misc]
            console.print(f"{path.name} is intact: {len(manifest.parts)} files, {human(manifest.file_size)}, read in {seconds(took[0])}.")
        except StackError as error:
            sys.stderr.write(f"{error}\n")
            bad += 1
    return 1 if bad else 0


def restore(stack: Stack, mode: Mode, name: str, to: str, key_file: str, *, force: bool) -> int:
    """Bring a backup back and say what to do next."""
    console = screen()
    path, key = shelf_of(stack, to).find(name), key_of(stack, key_file)
    rows = rows_of(read_manifest(path, key))
    with stopwatch() as took, telling(console, rows) as tell:
        manifest, aside = restore_backup(place_of(stack, mode), path, key, tell, force=force)
    console.print(f"\n{manifest.name} is back, and every count is the backup's. It took {seconds(took[0])}.", style="bold")
    if aside:
        console.print(f"What was here before is in {aside}. Delete it when you don't need it any more.", soft_wrap=True)
    console.print("PostgreSQL and Elasticsearch run. Start the rest: make up")
    return 0


def show_key(stack: Stack) -> int:
    """Print the key and nothing else, to be kept elsewhere."""
    key_of(stack)
    sys.stdout.write(stack.secret("LOG_ARCHIVE_IDENTITY") + "\n")
    return 0


def shelf_of(stack: Stack, to: str) -> Shelf:
    """The folder of backups: what was asked for, else the setting's; relative ones of the setting count from the checkout."""
    return Shelf(Path(to).absolute() if to else CHECKOUT / stack.settings.backup_dir)


def key_of(stack: Stack, key_file: str = "") -> Key:
    """The key in a file (`-`: standard input), else that of the stack. Raises StackError."""
    if not key_file:
        return Key(stack.secret("LOG_ARCHIVE_IDENTITY"))
    try:
        return Key(sys.stdin.read() if key_file == "-" else Path(key_file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"The key file {key_file} can't be read ({getattr(error, 'strerror', None) or 'no text'}).") from None


def place_of(stack: Stack, mode: Mode) -> Place:
    """The stack in the way in which it runs."""
    if effective(mode, stack) is Mode.COMPOSE:
        from app.stack.backup.containers import ContainerPlace

        return ContainerPlace(stack)
    from app.stack.backup.native import NativePlace

    return NativePlace(stack)
