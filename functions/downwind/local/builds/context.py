"""The files that a Dockerfile may copy: a directory without what .dockerignore names (and without .git)."""

import re
import stat
from pathlib import Path

from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.image import File


def read_context(root: Path, dockerfile: Path) -> dict[str, File]:
    """Regular files and symbolic links by path below `root`. Modes are 0644 or 0755, as git keeps them.

    `.git` is never part of it: its index holds times, and an image would have another digest each time it is built.
    """
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    ignore_file = own if own.is_file() else root / ".dockerignore"
    rules = _rules(ignore_file.read_text()) if ignore_file.is_file() else []
    found: dict[str, File] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        mode = path.lstat().st_mode
        if name == ".git" or name.startswith(".git/") or stat.S_ISDIR(mode) or _ignored(name, rules):
            continue
        if stat.S_ISLNK(mode):
            found[name] = File(link=str(path.readlink()))
        elif stat.S_ISREG(mode):
            found[name] = File(data=path.read_bytes(), mode=0o755 if mode & 0o100 else 0o644)
    return found


def select(files: dict[str, File], pattern: str, where: str) -> list[tuple[str, dict[str, File]]]:
    """What one source of COPY names: (its base name, files below it), one for each match of its wildcards.

    A file's own entry has the key "". Raises BuildFailure when nothing matches.
    """
    clean = "/".join(part for part in pattern.split("/") if part not in {"", "."})
    if ".." in clean.split("/"):
        raise BuildFailure(f"COPY {pattern}: a path can't leave {where}")
    if not clean:
        return [("", dict(files))]
    matcher = re.compile(_regex(clean, double_star=False))
    depth = clean.count("/") + 1
    chosen: dict[str, dict[str, File]] = {}
    for path, file in files.items():
        parts = path.split("/")
        head = "/".join(parts[:depth])
        if len(parts) >= depth and matcher.fullmatch(head):
            chosen.setdefault(head, {})["/".join(parts[depth:])] = file
    if not chosen:
        raise BuildFailure(f"COPY {pattern}: nothing of that name in {where}")
    return [(head.rpartition("/")[2], chosen[head]) for head in sorted(chosen)]


def _rules(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    """(keeps?, pattern) in order; the last that matches a path or a directory above it decides."""
    rules = []
    for line in text.splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        keeps = rule.startswith("!")
        clean = rule.removeprefix("!").strip().strip("/").removeprefix("./")
        rules.append((keeps, re.compile(_regex(clean, double_star=True) + r"(/.*)?")))
    return rules


def _ignored(name: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    ignored = False
    for keeps, pattern in rules:
        if pattern.fullmatch(name):
            ignored = not keeps
    return ignored


def _regex(pattern: str, *, double_star: bool) -> str:
    """Go's filepath.Match, and `**` for any number of directories."""
    out, at = "", 0
    while at < len(pattern):
        if double_star and pattern.startswith("**/", at):
            out, at = out + "(.*/)?", at + 3
        elif double_star and pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            out, at = out + "[" + pattern[at + 1 : end].replace("\\", "\\\\") + "]", end + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
