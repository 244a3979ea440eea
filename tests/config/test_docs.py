"""The pages that people read: links lead somewhere, commands, settings and paths exist, both READMEs agree."""

import datetime as dt
import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from app.cli import app as nobet
from app.core.config import Settings
from prometheus.generator.model import THRESHOLDS_FILE
from tests.config.files import load
from tests.support.processes import CHECKOUT

PAGES: Final = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
ENGLISH: Final = CHECKOUT / "README.md"
TURKISH: Final = CHECKOUT / "README.tr.md"

FENCE: Final = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\(([^()\s]+)\)")
SPAN: Final = re.compile(r"`([^`\n]+)`")
SETTING: Final = re.compile(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?")
PATH: Final = re.compile(r"(?:app|alertmanager|docker|docs|grafana|prometheus|requirements|scripts|tests)/[\w./*-]+")
MAKE: Final = re.compile(r"(?:^|[`&(;|] ?)make ((?:[A-Z]+=\S+ )*)([a-z][a-z-]*)", re.MULTILINE)
NOBET: Final = re.compile(r"(?:^|[`&(;|/] ?)nobet ([a-z][a-z-]*)\b", re.MULTILINE)

NO_SETTINGS: Final = frozenset({"JAVA_HOME", "NAME_FILE", "SENTRY_DSN_FILE", "FORCE_COLOR", "NO_COLOR"}) | {
    "COMPOSE_PROFILES",
    "VITE_SENTRY_DSN",
    "SINGLE_USER",
    "SINGLE_TEAM",
}
"""Look like settings: those of Java, Compose, web pages and Bugsink, the form of all secret files, and what programs agree on."""

EXAMPLES: Final = frozenset({"app/watch"})
"""Paths that a page proposes for the reader's own project."""

LIMITS: Final = frozenset(load(THRESHOLDS_FILE)["limits"])
"""Limits of the alerts; they have a file of their own."""

EACH_PAGE: Final = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of each code block, without the indentation of the list that it stands in."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(language, re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)) for indent, language, code in found]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(page: Path, link: str) -> str:
    """Why a link of a page leads nowhere; empty when it does."""
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return f"{link}: there is no {name}"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"{link}: {target.name} has no heading for #{anchor}"
    return ""


@EACH_PAGE
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    """A reader who follows a link arrives."""
    local = [link for link in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", link)]
    assert [problem for link in local if (problem := broken(page, link))] == []


def test_a_broken_link_is_noticed() -> None:
    """The check above can fail: a missing file and a missing heading are both told."""
    assert broken(ENGLISH, "docs/nowhere.md")
    assert broken(ENGLISH, "docs/runbook.md#no-such-alert")
    assert not broken(ENGLISH, "docs/runbook.md#apidown")


@EACH_PAGE
def test_every_make_target_is_in_the_makefile(page: Path) -> None:
    """`make X` can be typed as it stands."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for text in _typed(page) for _, target in MAKE.findall(text)}
    assert named <= targets


@EACH_PAGE
def test_every_nobet_command_exists(page: Path) -> None:
    """`nobet X` can be typed as it stands."""
    commands = {command.name or getattr(command.callback, "__name__", "") for command in nobet.registered_commands}
    commands |= {group.name or "" for group in nobet.registered_groups}
    named = {command for text in _typed(page) for command in NOBET.findall(text)}
    assert named <= commands


def _typed(page: Path) -> list[str]:
    """What a reader may type: inline code of the prose, and the lines of shell blocks without comments."""
    shell = [re.sub(r"\s+#.*", "", code) for language, code in blocks(page) if language == "sh"]
    return [*SPAN.findall(prose(page)), *shell]


@EACH_PAGE
@pytest.mark.req("CFG-02")
def test_every_setting_that_is_named_exists(page: Path) -> None:
    """No page tells of a setting that isn't there: each stands in .env.example."""
    known = {name.upper() for name in Settings.model_fields} | NO_SETTINGS
    named = {match[1] for span in SPAN.findall(prose(page)) if (match := SETTING.fullmatch(span))} - LIMITS
    assert named <= known
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    assert [name for name in named - NO_SETTINGS if f"\n{name}=" not in example] == []


@EACH_PAGE
def test_every_path_of_the_project_that_is_named_exists(page: Path) -> None:
    """A file or folder that a page names is there."""
    named = {span.rstrip("/") for span in SPAN.findall(prose(page)) if PATH.fullmatch(span)}
    assert [path for path in sorted(named - EXAMPLES) if not any(CHECKOUT.glob(path))] == []


@EACH_PAGE
def test_every_python_block_compiles(page: Path) -> None:
    """Nobody copies a syntax error."""
    for language, code in blocks(page):
        if language == "python":
            compile(code, str(page), "exec")


@pytest.mark.req("DOC-18")
def test_the_turkish_readme_keeps_up_with_the_english_one() -> None:
    """Same headings in number and depth, same links in the same order, same code blocks, same images."""
    english, turkish = ENGLISH.read_text(encoding="utf-8"), TURKISH.read_text(encoding="utf-8")
    swapped = [TURKISH.name if link == ENGLISH.name else link for link in LINK.findall(turkish)]
    assert swapped == LINK.findall(english)
    assert re.findall(r"<(https?://[^>]+)>", turkish) == re.findall(r"<(https?://[^>]+)>", english)
    assert blocks(TURKISH) == blocks(ENGLISH)
    assert re.findall(r"^#+", turkish, re.MULTILINE) == re.findall(r"^#+", english, re.MULTILINE)


@pytest.mark.req("DOC-13")
def test_the_index_says_version_and_dates() -> None:
    """The version is the one that runs, and the next review comes after the last update."""
    text = (CHECKOUT / "docs" / "README.md").read_text(encoding="utf-8")
    found = re.search(r"Version (\S+) · last updated (\S+) · next review (\S+)", text)
    assert found is not None
    version, updated, review = found.groups()
    assert version == Settings.model_fields["app_version"].default
    assert dt.date.fromisoformat(updated) < dt.date.fromisoformat(review)


@pytest.mark.req("DOC-02", "DOC-03", "DOC-04", "DOC-05", "DOC-09", "DOC-11", "DOC-12")
def test_the_troubleshooting_page_has_its_sections() -> None:
    """Each kind of trouble has a heading, and the table at the top leads to it."""
    wanted = {
        "elasticsearch-does-not-answer",
        "prometheus-does-not-collect",
        "dashboards-are-empty",
        "the-error-tracker-receives-nothing",
        "no-mail-arrives",
        "a-port-is-in-use",
        "java-or-another-program-is-missing",
        "log-lines-are-missing",
        "the-story-is-empty",
        "the-disk-is-full",
        "common-mistakes",
        "tools-and-what-they-cost",
        "exercise-the-silent-gap",
    }
    assert wanted <= anchors(CHECKOUT / "docs" / "troubleshooting.md")
