"""Plain scalars as Kubernetes reads them: by sigs.k8s.io/yaml (go-yaml v2), whose rules are neither YAML 1.1 nor 1.2.

`12:30` and dates are texts, `0o17`, `1e3` and `0123e4` numbers, `y` and `on` booleans, and a number too
large for a float is a text.
"""

import re

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
# Go's strconv.ParseInt with base 0: a leading zero means octal, as 0o does.
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_PARTED = re.compile(r"(?<=[0-9])_(?=[0-9])")
_LONGEST = 400  # beyond this no number fits a float, and reading one costs more than its length


def resolve(text: str) -> str | bool | int | float | None:
    """The value of an unquoted scalar without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST:
        return text
    # Underscores may stand anywhere in a number, but after a leading dot between digits only.
    plain = _PARTED.sub("", text) if text[0] == "." else text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        if abs(number) != float("inf"):
            return number
    return text


def _integer(text: str) -> int | None:
    """Within 64 bits, signed or unsigned; None for anything else, as for Go."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    sign, hexadecimal, binary, octal, decimal = match.groups()
    base = 16 if hexadecimal else 2 if binary else 8 if octal else 10
    number = int(hexadecimal or binary or octal or decimal, base)
    # ParseInt takes a sign and 63 bits; ParseUint 64 bits and no sign.
    if number < 2**63 or (number == 2**63 and sign == "-") or (number < 2**64 and not sign):
        return -number if sign == "-" else number
    return None
