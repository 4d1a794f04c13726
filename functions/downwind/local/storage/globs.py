"""matchGlob as a regular expression: https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob"""

import re

from downwind.local.storage.errors import invalid

_TOKEN = re.compile(r"\*\*|\*|\?|\[!?[^\]]+\]|\{|\}|,|\\.|.", re.DOTALL)


def glob_pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` stay within one part of a path, `**` does not; [ab], [!ab], [a-z], {a,b}; `\\` quotes what follows."""
    pattern, depth = [], 0
    for token in _TOKEN.findall(glob):
        if token == "**":
            pattern.append(".*")
        elif token == "*":
            pattern.append("[^/]*")
        elif token == "?":
            pattern.append("[^/]")
        elif token[0] == "[" and len(token) > 1:
            negated = token[1] == "!"
            body = token[2 if negated else 1 : -1].replace("\\", r"\\").replace("^", r"\^").replace("[", r"\[")
            pattern.append(f"[{'^' if negated else ''}{body}]")
        elif token == "{":
            depth += 1
            pattern.append("(?:")
        elif token == "}" and depth:
            depth -= 1
            pattern.append(")")
        elif token == "," and depth:
            pattern.append("|")
        else:
            pattern.append(re.escape(token[1] if token[0] == "\\" and len(token) == 2 else token))
    try:
        return re.compile("".join(pattern), re.DOTALL)
    except re.error as error:
        raise invalid(f"Invalid value for field matchGlob: {glob}") from error
