"""Names and patterns as the catalog writes them."""

import fnmatch
import re
from collections.abc import Iterable

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""Of applications and environments: no dot, so that no two of them share the name of a fence."""
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REF = re.compile(r"refs/(heads|tags)/[^\x00-\x20~^:?*\[\\\x7f]+")
_TAG_FIELDS = {"commit": r"(?P<commit>[0-9a-f]{40})", "short_commit": r"(?P<short_commit>[0-9a-f]{7})"}


def ref_matches(patterns: Iterable[str], ref: str) -> bool:
    """Full ref names; `*`, `?` and `[…]` match inside one segment only."""
    segments = ref.split("/")
    for pattern in patterns:
        wanted = pattern.split("/")
        if len(wanted) == len(segments) and all(map(fnmatch.fnmatchcase, segments, wanted)):
            return True
    return False


def path_matches(patterns: Iterable[str], path: str) -> bool:
    """Paths from the root of the repository; `**` matches any number of segments, `*` stays inside one."""
    return any(_path_expression(pattern).fullmatch(path) for pattern in patterns)


def _path_expression(pattern: str) -> re.Pattern[str]:
    pieces = []
    for segment in pattern.split("/"):
        if segment == "**":
            pieces.append("(?:[^/]+/)*")
        else:
            body = re.escape(segment).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
            pieces.append(body + "/")
    # A pattern that ends in ** means everything below; any other ends in a file's own name.
    text = "".join(pieces)
    return re.compile(text + "[^/]+" if pattern.endswith("**") else text.removesuffix("/"))


def repository_key(address: str) -> str:
    """One spelling for one repository: without scheme, user, `.git` and final slash; the host in lower case."""
    text = re.sub(r"^[a-z+]+://", "", address.strip())
    text = re.sub(r"^[^/@]*@", "", text).removesuffix("/").removesuffix(".git")
    host, slash, path = text.partition("/")
    return host.lower() + slash + path if slash else text


def tag_for(template: str, commit: str) -> str:
    """`{commit}` and `{short_commit}` filled in."""
    return template.replace("{commit}", commit).replace("{short_commit}", commit[:7])


def commit_of(template: str, tag: str) -> str | None:
    """The whole commit that a tag of this template names; None where the tag does not follow it or holds seven digits only."""
    text = re.escape(template)
    for name, expression in _TAG_FIELDS.items():
        field = re.escape("{" + name + "}")
        text = text.replace(field, expression, 1).replace(field, f"(?P={name})")
    match = re.fullmatch(text, tag)
    return match.groupdict().get("commit") if match else None
