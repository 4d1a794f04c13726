"""A history's trace as a person can follow it."""

import re

from tests.simulation.history import Verdict

_LINE = re.compile(r"(?P<at>\d+\.\d{3}) (?P<who>\S+) (?P<what>.*)")
_LONG = re.compile(r"[0-9a-f]{12,}")


def tell(verdict: Verdict) -> str:
    """One line a point, times in minutes and seconds, hashes cut; a fault stands below the point that it struck. Both points
    of a call without a fault in between are one line."""
    told: list[str] = []
    last = ""
    for line in verdict.trace:
        match = _LINE.fullmatch(line)
        if match is None:
            told.append(f"{'':10}   {'':18} !! {line.strip()}")
            last = ""
            continue
        about = f"{match['who']:18} {_shorten(match['what'])}"
        if about == last:
            last = ""
            continue
        seconds = float(match["at"])
        told.append(f"{int(seconds // 60):4d}:{seconds % 60:05.2f}   {about}")
        last = about
    told.append("")
    told += [f"{kind}: {text}" for kind, text in verdict.violations] or ["Everything holds."]
    return "\n".join(told)


def _shorten(text: str) -> str:
    text = re.sub(r"9{9,}(\d+)", lambda match: f"~{10 ** len(match[1]) - 1 - int(match[1])}", text)
    return _LONG.sub(lambda match: match[0][:7], text)
