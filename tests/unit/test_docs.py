"""What the docs name is there: links, topics, settings, commands and options, schemas, methods; and offline examples, run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from downwind.cli.main import main
from downwind.events.sources import PARSERS
from downwind.local.provision import PULLED, PUSHED
from downwind.local.testing import DownwindWorld
from downwind.local.working_copy import WorkingCopy
from downwind.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "tests/events/*.md")
    for path in ROOT.glob(pattern)
)
TOPICS = {*PUSHED, *PULLED}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[\s`(])(downwind [a-z][^\n`]*)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def problem(page: str, target: str) -> str | None:
    if re.match(r"https?:", target):
        return None
    file, _, anchor = target.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    if not path.exists():
        return f"{page} links to {target}, which is not there"
    if anchor and anchor not in anchors(path):
        return f"{page} links to {target}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    found = [problem(page, target) for target in LINK.findall(FENCE.sub("", text_of(page)))]
    assert [each for each in found if each] == []


def test_every_page_is_reached_from_the_readme() -> None:
    seen, following = set[Path](), [ROOT / "README.md"]
    while following:
        page = following.pop()
        seen.add(page)
        for target in LINK.findall(FENCE.sub("", page.read_text())):
            linked = (page.parent / target.partition("#")[0]).resolve()
            if linked.suffix == ".md" and linked.is_file() and linked not in seen:
                following.append(linked)
    assert {path.relative_to(ROOT).as_posix() for path in seen} >= {page for page in PAGES if page.startswith("docs/")}


def test_the_table_of_topics_has_each_topic_with_its_function() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| [^|]*\| `?(\w+|other systems)`? \|", text_of("docs/reference/events.md"), re.MULTILINE
    )
    functions = dict(rows)
    assert set(functions) == TOPICS
    assert {topic: function for topic, function in functions.items() if topic in PUSHED} == PUSHED


def test_the_picture_has_each_topic_and_its_function() -> None:
    words = set(re.findall(r">([a-z_-]+)<", text_of("docs/flow.svg")))
    assert {*PUSHED, *PUSHED.values(), "deliveries"} <= words


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_named_is_one(page: str) -> None:
    ours = {f"DOWNWIND_{name.upper()}" for name in Settings.__dataclass_fields__}
    # DOWNWIND_CONTRACT_…: what a contract suite is to be run against.
    found = re.findall(r"\bDOWNWIND_(?!CONTRACT_)[A-Z_]+[A-Z]\b", text_of(page))
    assert set(found) <= ours


def commands(text: str) -> Iterator[list[str]]:
    """The words after `downwind` in lines of code, up to what the shell does with the command."""
    text = re.sub(r"\$\((?!downwind)[^)]*\)", "VALUE", text.replace("\\\n", " "))
    for match in COMMAND.finditer(text):
        yield re.split(r"\s[#|>&]|[;)]", match[1])[0].split()[1:]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_that_is_named_exists(page: str) -> None:
    code = "\n".join(
        [block for language, block in FENCE.findall(text_of(page)) if language in {"", "sh", "bash", "console"}]
        + [f"`{span}`" for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(page)))]
    )
    for words in commands(code):
        unknown = not_there(words)
        assert unknown is None, f"{page}: downwind {' '.join(words)}: there is no {unknown}"


def not_there(words: list[str]) -> str | None:
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        if words[0].startswith("-") or not words[0].islower():
            break
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return words[0]
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    return next((word for word in words if word.startswith("-") and word not in options and word != "-"), None)


@pytest.mark.parametrize("page", PAGES)
def test_offline_examples_print_what_the_page_shows(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for language, block in FENCE.findall(text_of(page)):
        if language != "console":
            continue
        command, _, shown = block.partition("\n")
        assert command.startswith("$ downwind "), f"{page}: a console block is one offline command and its output"
        result = CliRunner().invoke(main, shlex.split(command)[2:])
        assert [line.split() for line in result.output.splitlines()] == [line.split() for line in shown.splitlines()]


@pytest.mark.parametrize("source", [*PARSERS, "webhook"])
def test_the_command_reference_of_events_reads_every_source(source: str) -> None:
    read = main.get_command(click.Context(main), "events")
    assert isinstance(read, click.Group)
    (option,) = [each for each in read.commands["read"].params if each.name == "source"]
    assert isinstance(option.type, click.Choice)
    assert source in option.type.choices


def public(thing: type) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def test_the_page_on_testing_names_every_method_of_the_world() -> None:
    text = text_of("docs/how-to/test-locally.md")
    table = text[text.index("## The world") : text.index("A `WorkingCopy`")]
    named = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    assert named == public(DownwindWorld) | {"local", "ports"}


def test_the_page_on_testing_names_every_method_of_a_working_copy_that_tests_need() -> None:
    text = text_of("docs/how-to/test-locally.md")
    sentence = text[text.index("A `WorkingCopy`") : text.index("## What the world does not do")]
    named = set(re.findall(r"`(\w+)(?=[(`])", sentence)) - {"WorkingCopy", "main"}
    assert named <= public(WorkingCopy) | {"folder"}
    assert public(WorkingCopy) - named == {"start_from"}
