"""PostgreSQL and Elasticsearch refuse to run as root. Under root they run in a user namespace as somebody else.

Their files keep belonging to root on the outside, so nothing needs another
owner and a folder under a private home is reached as well.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from app.stack.errors import StackError

_PRIVATE_MOUNTS = ("unshare", "-U", "-r", "-m", "--")
_MOUNT_AND_RUN = (
    'mount -t overlay overlay -o "lowerdir=$1:/usr/share" /usr/share || echo "no private /usr/share, pages of this server stay bare"; '
    'shift; exec "$@"'
)


def as_ordinary_user() -> list[str]:
    """What to put before a command that refuses to run as root: nothing for an ordinary user.

    A user without a name (a bare number, as in some containers) is refused by PostgreSQL too, and helped the same way.
    Raises StackError where the machine permits no user namespace.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return []
    nobody = _nobody()
    prefix = ("unshare", "-U", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--")
    if not _permitted(prefix):
        raise StackError(
            "PostgreSQL and Elasticsearch refuse to run as root, and this machine permits no user namespaces (unshare): "
            "run the stack as an ordinary user."
        )
    return list(prefix)


def with_share(folder: Path) -> list[str]:
    """What to put before a command that looks for files of `folder` under /usr/share; nothing where that can't be arranged."""
    if not folder.is_dir() or any(mark in str(folder) for mark in ":,\\") or not _permitted(_PRIVATE_MOUNTS):
        return []
    return [*_PRIVATE_MOUNTS, "sh", "-c", _MOUNT_AND_RUN, "sh", str(folder)]


def _nobody() -> pwd.struct_passwd:
    """A user that exists everywhere, is not root and owns nothing."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        return next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


@cache
def _permitted(prefix: Sequence[str]) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    return subprocess.run([*prefix, "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
