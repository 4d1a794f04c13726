"""Names and patterns as the catalog writes them."""

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""Of applications and environments: no dot, so that no two of them share the name of a fence."""
OPERATOR = re.compile(r"(group:)?[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
"""An e-mail address, or that of a Google group."""
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REF = re.compile(r"refs/(heads|tags)/[^\x00-\x20~^:?*\[\\\x7f]+")


def ref_matches(patterns: Iterable[str], ref: str) -> bool:
    """Full ref names; `*`, `?` and `[…]` match inside one segment only."""
    return any(_ref_matches(pattern, ref) for pattern in patterns)


@lru_cache(maxsize=1024)
def _ref_matches(pattern: str, ref: str) -> bool:
    wanted, segments = pattern.split("/"), ref.split("/")
    return len(wanted) == len(segments) and all(map(fnmatch.fnmatchcase, segments, wanted))


def path_matches(patterns: Iterable[str], path: str) -> bool:
    """Paths from the root of the repository; `**` matches any number of segments, `*` stays inside one; a directory with its
    final slash means everything below it."""
    return any(_path_expression(pattern).fullmatch(path) for pattern in patterns)


def _path_expression(pattern: str) -> re.Pattern[str]:
    pieces = []
    segments = (pattern + "**" if pattern.endswith("/") else pattern).split("/")
    for segment in segments:
        if segment == "**":
            pieces.append("(?:[^/]+/)*")
        else:
            body = re.escape(segment).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
            pieces.append(body + "/")
    # A pattern that ends in ** means everything below; any other ends in a file's own name.
    text = "".join(pieces)
    return re.compile(text + "[^/]+" if segments[-1] == "**" else text.removesuffix("/"))


@lru_cache(maxsize=1024)
def repository_key(address: str) -> str:
    """One spelling for one repository: without scheme, user, `.git` and final slash; the host in lower case."""
    text = re.sub(r"^[A-Za-z+]+://", "", address.strip())
    text = re.sub(r"^[^/@]*@", "", text).removesuffix("/").removesuffix(".git")
    host, slash, path = text.partition("/")
    return host.lower() + slash + path if slash else text


def tag_for(template: str, commit: str) -> str:
    """`{commit}` and `{short_commit}` filled in."""
    return template.replace("{commit}", commit).replace("{short_commit}", commit[:7])


def commit_of(template: str, tag: str) -> str | None:
    """The whole commit that a tag of this template names; None where the tag does not follow it or holds seven digits only."""
    before, field, after = template.partition("{commit}")
    match = re.fullmatch(f"{re.escape(before)}({COMMIT.pattern}){re.escape(after)}", tag) if field else None
    return match[1] if match else None
