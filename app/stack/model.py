"""What a component is: plain declarations, no behaviour.

Strings in `program`, `command` and `env` may name facts in braces; see
`app.stack.facts` for the list. Secrets (`{secret[NAME]}`) are allowed in `env` only:
a command line can be read by everybody on the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Apt:
    """Debian packages, unpacked into the cache without being installed. `a|b` takes the first that exists."""

    packages: tuple[str, ...]
    program: str
    libraries: bool = True
    """Look for shared libraries that this machine lacks. Programs that are linked statically have none."""


@dataclass(frozen=True, slots=True)
class Maven:
    """A zip in a Maven repository, unpacked; its top folder becomes the home."""

    group: str
    artifact: str
    version: str
    program: str


@dataclass(frozen=True, slots=True)
class Go:
    """Programs built from the tools module `app/stack/go/<module>`, whose go.sum pins every dependency."""

    module: str
    version: str
    packages: tuple[str, ...]
    program: str
    oldest: tuple[int, int] = (1, 25)


@dataclass(frozen=True, slots=True)
class Npm:
    """A package locked in `app/stack/npm/<folder>`."""

    folder: str
    version: str
    program: str


@dataclass(frozen=True, slots=True)
class Pip:
    """Python packages pinned in `app/stack/pip/<folder>`, in an environment of their own."""

    folder: str
    version: str
    program: str = "bin/python"


@dataclass(frozen=True, slots=True)
class Installed:
    """A program that is used where it is on the PATH, and otherwise left out."""

    program: str


@dataclass(frozen=True, slots=True)
class Own:
    """Our own code, run by the Python that runs this."""

    module: str
    program: str = "{python}"


Source = Apt | Maven | Go | Npm | Pip | Installed | Own


@dataclass(frozen=True, slots=True)
class Http:
    """Ready when a GET answers 200; `user` signs in as that Elasticsearch user."""

    port: str
    path: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Tcp:
    """Ready when the port takes connections."""

    port: str


@dataclass(frozen=True, slots=True)
class Postgres:
    """Ready when PostgreSQL asks for a password, which it does only after recovery."""

    port: str


@dataclass(frozen=True, slots=True)
class Redis:
    """Ready when Redis answers PING, which it does only after its data is loaded."""

    port: str


Probe = Http | Tcp | Postgres | Redis

Signal = Literal["TERM", "INT", "QUIT"]


@dataclass(frozen=True, slots=True)
class Component:
    """One program of the stack. The first usable source is taken."""

    name: str
    title: str
    sources: tuple[Source, ...]
    arguments: tuple[str, ...]
    ports: tuple[str, ...]
    """Names in `app.core.ports` of all its listeners; people use the first."""
    probe: Probe
    env: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    env_where: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Variable in `env` → component without which it is left out, on machines that can't run that one."""
    depends_on: tuple[str, ...] = ()
    outlives: tuple[str, ...] = ()
    """Components that stop before it although they can start without it."""
    config: tuple[str, ...] = ()
    """Files and folders that it reads, from `etc` on; a change restarts or reloads it."""
    secrets: tuple[str, ...] = ()
    """Settings that are secret and handed to it by environment (our own processes only)."""
    reload_path: str = ""
    """POST here reads changed configuration without a restart."""
    prepare: str = ""
    """Step of `app.stack.prepare` that runs before the start."""
    setting: str = ""
    """It is part of the stack only where this setting is set."""
    optional: bool = False
    """The stack is healthy without it."""
    background: bool = False
    """Its install runs under the supervisor, beside everything else; `up` does not wait for it."""
    unprivileged: bool = False
    """Refuses to run as root."""
    forks: bool = False
    """Its workers live on when it is killed, and keep its ports: they are ended before its next start."""
    overlay_share: bool = False
    """Has /usr/share/<name> compiled in and gets a private view of it."""
    ready_seconds: float = 120
    stop_signal: Signal = "TERM"
    stop_seconds: int = 10
    page: str = ""
    """Path of the page that people open; empty when there is none."""
    login: str = ""
    """User and where the password is."""
