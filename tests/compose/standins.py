"""Images to run docker-compose.yml with where no image registry answers: each tagged with exactly the name that is pinned there.

A stand-in is a folder of tests/compose/images with a Dockerfile; its README.md says how each differs from the real image.
Programs come from what the native stack has installed, the rest from Debian and from the Python package index.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import yaml

from app.stack.choose import choose
from app.stack.install import install, program_of
from app.stack.paths import CHECKOUT
from app.stack.stack import Stack
from tests.compose.engine import Engine

IMAGES: Final = Path(__file__).with_name("images")
BASE: Final = "nobet-standin/debian"
SMALL_BASE: Final = "nobet-standin/busybox"
SUITE: Final = "trixie"
"""The Debian of the real Python image; its Python is 3.13, too."""

CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")

PROGRAMS: Final[Mapping[str, str]] = {
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "node-exporter": "node_exporter",
    "blackbox-exporter": "blackbox",
    "postgres-exporter": "postgres_exporter",
    "elasticsearch-exporter": "elasticsearch_exporter",
    "redis_exporter": "redis_exporter",
    "jaeger": "jaeger",
    "elasticsearch": "elasticsearch",
}
"""Stand-in → the native component whose program it gets."""


def pinned_images() -> list[str]:
    """The images that docker-compose.yml and the app's Dockerfile name, ours left out."""
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    named = {service["image"] for service in services.values() if "build" not in service}
    return sorted({python_image(), *named})


def python_image() -> str:
    """What the app's image is made from."""
    lines = (CHECKOUT / "docker" / "app" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    arguments = dict(line.removeprefix("ARG ").split("=", 1) for line in lines if line.startswith("ARG "))
    origin = next(line.split()[1] for line in lines if line.startswith("FROM "))
    return origin.replace("${PYTHON_VERSION}", arguments["PYTHON_VERSION"])


def build(engine: Engine, stack: Stack, work: Path, report: Callable[[str], None]) -> None:
    """Have every pinned image in the engine. `work` is a folder for contexts. Raises AssertionError with what a build printed."""
    if not engine.has(BASE):
        report("the Debian base")
        _import_base(engine, work)
    if not engine.has(SMALL_BASE):
        report("the BusyBox base")
        _build(engine, "busybox", SMALL_BASE, work / "contexts", {})
    homes = _programs(stack, report)
    for image in sorted(pinned_images(), key=lambda name: name != python_image()):
        if not engine.has(image):
            report(image)
            _build(engine, stand_in_of(image), image, work / "contexts", homes)


def stand_in_of(image: str) -> str:
    """The folder that stands in for an image. Raises AssertionError when there is none."""
    name = image.rpartition(":")[0].rpartition("/")[2]
    assert (IMAGES / name / "Dockerfile").exists(), f"{image} has no stand-in: add tests/compose/images/{name}/Dockerfile"
    return name


def _programs(stack: Stack, report: Callable[[str], None]) -> dict[str, Path]:
    """Stand-in → its program, or the whole folder where that is more than one file; installed when it is not there."""
    choice = choose(stack, set(PROGRAMS.values()))
    found = {}
    for name, component in PROGRAMS.items():
        chosen = choice.chosen[component]
        home = install(chosen.source, chosen.component, stack.paths.cache, report)
        found[name] = home if name == "elasticsearch" else Path(program_of(chosen.source, home, sys.executable))
    return found


def _build(engine: Engine, name: str, tag: str, contexts: Path, programs: Mapping[str, Path]) -> None:
    context = contexts / name
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(IMAGES / name, context)
    if name in programs:
        source = programs[name].resolve()
        if source.is_dir():
            shutil.copytree(source, context / "home")
        else:
            shutil.copy2(source, context / "program")
            (context / "program").chmod(0o755)  # what was built for its owner only runs as another user here
    shutil.copy2(CERTIFICATES, context / "certificates.pem")
    file = context / "Dockerfile"
    file.write_text(file.read_text(encoding="utf-8").replace("FROM python-base", f"FROM {python_image()}"), encoding="utf-8")
    version = tag.rpartition(":")[2].lstrip("v").partition("-")[0]
    arguments = [f"--build-arg=VERSION={version}", f"--build-arg=MAJOR={version.partition('.')[0]}"]
    engine.docker("build", "--quiet", "--tag", tag, *arguments, str(context))
    shutil.rmtree(context)


def _import_base(engine: Engine, work: Path) -> None:
    """Debian's smallest system, made by debootstrap."""
    root = work / "debian"
    _run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root)], "debootstrap")
    archive = work / "debian.tar"
    _run(["tar", "--create", "--file", str(archive), "--directory", str(root), "--exclude=./var/cache/apt/archives/*.deb", "."], "tar")
    engine.docker("import", str(archive), BASE)
    archive.unlink()
    shutil.rmtree(root)


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{what} failed: {(done.stdout + done.stderr)[-2000:]}"
