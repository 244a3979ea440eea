"""Elasticsearch from Maven, with the one handler that this distribution of it lacks."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.stack.errors import StackError
from app.stack.install.cache import fresh_entry, locked
from app.stack.install.tools import java_home, java_version, run_client
from app.stack.model import Maven

OLDEST_JAVA: Final = 17
"""Elasticsearch 8.19 does not start on anything older."""

_PLUGIN: Final = Path(__file__).parents[1] / "java" / "RootPlugin.java"


def unusable() -> str:
    """What is missing to get and run it, as a clause; empty when nothing is."""
    major = java_version()[0]
    if not major:
        return f"Java {OLDEST_JAVA} is not on the PATH (`apt-get install openjdk-17-jdk-headless maven` brings what is needed)"
    if major < OLDEST_JAVA:
        return f"Java {major} is too old, {OLDEST_JAVA} is needed (install it and point JAVA_HOME to it)"
    return "" if shutil.which("mvn") else "mvn is not on the PATH (`apt-get install maven` brings it)"


def install(source: Maven, entry: Path, cache: Path, report: Callable[[str], None]) -> None:
    """Fetch and unpack the archive, add the plugin for `GET /`. Raises StackError."""
    with locked(entry):
        if entry.is_dir():
            return
        report(f"downloading {source.artifact} {source.version}")
        archive = _fetch(source, cache / "maven")
        report("unpacking")
        with fresh_entry(entry) as building:
            top = _unpack(archive, building)
            report("adding GET /")
            note = _add_root_handler(building, source.version)
            if note:
                report(note)
            top.rmdir()
        archive.unlink()


def _fetch(source: Maven, repository: Path) -> Path:
    coordinates = f"{source.group}:{source.artifact}:{source.version}:zip"
    command = ["mvn", "-q", "-B", "dependency:get"]
    command += [f"-Dartifact={coordinates}", "-Dtransitive=false", f"-Dmaven.repo.local={repository}"]
    run_client(command, what=f"Downloading {source.artifact} {source.version} with Maven")
    name = f"{source.artifact}-{source.version}"
    return repository.joinpath(*source.group.split("."), source.artifact, source.version, f"{name}.zip")


def _unpack(archive: Path, building: Path) -> Path:
    """Unpack into `building` without the archive's own top folder; returns that folder, empty now."""
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(building)
    except (OSError, zipfile.BadZipFile) as error:
        archive.unlink(missing_ok=True)
        raise StackError(f"{archive.name} is damaged ({error}). It has been removed; run again to fetch it anew.") from None
    (top,) = building.iterdir()
    for part in list(top.iterdir()):
        part.rename(building / part.name)
    for program in (building / "bin").iterdir():
        program.chmod(0o755)  # zipfile does not restore modes
    (building / "plugins").mkdir(exist_ok=True)
    return top


def _add_root_handler(home: Path, version: str) -> str:
    """Compile and place the plugin; returns a note when there is no compiler."""
    java = java_home()
    javac = java / "bin" / "javac" if java else None
    if javac is None or not javac.exists():
        return "no javac: `GET /` is not answered"
    folder = home / "plugins" / "nobet-root"
    classes = folder / "classes"
    classes.mkdir(parents=True)
    run_client([str(javac), "-nowarn", "-cp", f"{home}/lib/*", "-d", str(classes), str(_PLUGIN)], what="Compiling the GET / plugin")
    with zipfile.ZipFile(folder / "nobet-root.jar", "w") as jar:
        for compiled in sorted(classes.rglob("*.class")):
            jar.write(compiled, compiled.relative_to(classes))
    shutil.rmtree(classes)
    (folder / "plugin-descriptor.properties").write_text(
        "description=Answers GET / with name and version\nversion=1\nname=nobet-root\nclassname=nobet.RootPlugin\n"
        f"java.version={OLDEST_JAVA}\nelasticsearch.version={version}\n",
        encoding="utf-8",
    )
    return ""
