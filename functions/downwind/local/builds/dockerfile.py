"""A Dockerfile's text into instructions: continuations, comments, flags, JSON forms, here-documents, variables."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from downwind.local.builds.failure import BuildFailure

_HEREDOC = re.compile(r"<<-?([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_VARIABLE = re.compile(r"\\\$|\$(?:\{([A-Za-z_]\w*)(?:(:[-+])([^}]*))?\}|([A-Za-z_]\w*))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """`flags` as given (`--from=x` → {"from": "x"}), `rest` the text after them, `text` the whole, for logs and hashes."""

    line: int
    name: str
    rest: str
    flags: Mapping[str, str]
    text: str

    def words(self) -> list[str]:
        """The JSON form's strings, or the words of the shell form."""
        return self.json() or self.rest.split()

    def json(self) -> list[str] | None:
        if not self.rest.startswith("["):
            return None
        try:
            found = json.loads(self.rest)
        except ValueError:
            return None
        return found if isinstance(found, list) and all(isinstance(part, str) for part in found) else None

    def command(self) -> list[str]:
        """What ENTRYPOINT and CMD mean: the shell form runs in /bin/sh."""
        found = self.json()
        return found if found is not None else ["/bin/sh", "-c", self.rest]

    def pairs(self) -> dict[str, str]:
        """`KEY=value KEY2="a b"`, or the old `KEY value`."""
        try:
            parts = shlex.split(self.rest, posix=True)
        except ValueError as error:
            raise self.fault(str(error)) from error
        if parts and "=" not in parts[0]:
            key, _, value = self.rest.partition(" ")
            return {key: value.strip()}
        if not parts or any("=" not in part for part in parts):
            raise self.fault("write KEY=value")
        return {key: value for key, _, value in (part.partition("=") for part in parts)}

    def fault(self, text: str) -> BuildFailure:
        return BuildFailure(f"Dockerfile line {self.line}: {self.name}: {text}")


def parse(text: str) -> list[Instruction]:
    """All instructions in order. Raises BuildFailure with the line for what can't be read."""
    found: list[Instruction] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        start, logical = at + 1, ""
        while at < len(lines):
            line = lines[at]
            at += 1
            if line.lstrip().startswith("#"):
                if not found and not logical and re.match(r"#\s*escape\s*=\s*[^\\\s]", line.strip(), re.IGNORECASE):
                    raise BuildFailure(f"Dockerfile line {at}: another escape character is not supported")
                continue
            if not line.strip():
                if logical:
                    continue
                break
            continued = line.rstrip().endswith("\\")
            logical += line.rstrip().removesuffix("\\") + (" " if continued else "")
            if not continued:
                break
        if not logical.strip():
            continue
        name, _, rest = logical.strip().partition(" ")
        body = ""
        for _quote, delimiter in _HEREDOC.findall(rest) if name.upper() in {"RUN", "COPY", "ADD"} else []:
            while at < len(lines) and lines[at].strip() != delimiter:
                body += lines[at] + "\n"
                at += 1
            at += 1
        found.append(_instruction(start, name.upper(), rest.strip(), body))
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$x`, `${x}`, `${x:-default}`, `${x:+other}`; unknown ones are empty, `\\$` is a dollar."""

    def value(match: re.Match[str]) -> str:
        if match.group() == "\\$":
            return "$"
        found = variables.get(match.group(1) or match.group(4), "")
        match match.group(2):
            case ":-":
                return found or match.group(3)
            case ":+":
                return match.group(3) if found else ""
        return found

    return _VARIABLE.sub(value, text)


def _instruction(line: int, name: str, rest: str, body: str) -> Instruction:
    text = f"{name} {rest}" + (f"\n{body}" if body else "")
    flags: dict[str, str] = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        key, _, value = flag.removeprefix("--").partition("=")
        flags[key] = value
        rest = rest.lstrip()
    return Instruction(line=line, name=name, rest=rest, flags=flags, text=text)
