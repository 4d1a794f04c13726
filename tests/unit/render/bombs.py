"""Documents that are made to hurt a reader: by hand, and a thousand by a seed.

`python -m tests.unit.render.bombs [SEED]` measures each, the processor's time (best of three) and memory, and prints the seed and
the worst.
"""

import random
import sys
import time
import tracemalloc
from collections.abc import Iterator

from downwind.errors import Refused
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.yaml_reader import read_documents

SEED = 8
MANY = 1_000
RELEASE = ReleaseFacts(application="shop", environment="staging", namespace="shop", commit="c" * 40)
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

Bomb = tuple[str, str, bytes]
"""What it is, its file's name, its bytes."""


def take(bomb: Bomb) -> str:
    """What becomes of it: the refusal's words, or "taken". Any other error comes through."""
    try:
        make_bundle(read_documents(bomb[1], bomb[2]), RELEASE)
    except Refused as refused:
        return refused.reason
    return "taken"


def _aliases(width: int, levels: int, opening: str = "[") -> str:
    closing = {"[": "]", "{": "}"}[opening]

    def item(n: int, i: int) -> str:
        return f"*a{n}" if opening == "[" else f"k{i}: *a{n}"

    lines = [f"a0: &a0 {opening}{'x' if opening == '[' else 'x: x'}{closing}"]
    lines += [
        f"a{n}: &a{n} {opening}{', '.join(item(n - 1, i) for i in range(width))}{closing}" for n in range(1, levels)
    ]
    return "\n".join(lines)


def by_hand() -> Iterator[Bomb]:
    million = 1_048_576
    texts = {
        "a billion laughs": _aliases(9, 10),
        "laughs in mappings": _aliases(9, 10, "{"),
        "aliases just below the limit": _aliases(10, 10),
        "merges of merges": "a0: &a0 {k: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10)),
        "an anchor that holds itself": "a: &a [*a]",
        "a merge of itself": "a: &a {<<: *a}",
        "one big anchor a hundred times": f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 100)}]",
        "one wide anchor a hundred times": f"a: &a [{'1,' * 60_000}]\nb: [{', '.join(['*a'] * 100)}]",
        "a million brackets": "[" * 1_000_000,
        "a million braces": "{" * 1_000_000,
        "half a million pairs": "[]" * 500_000,
        "deep block lists": "- " * 400_000,
        "deep block mappings": "".join(f"{' ' * n}a:\n" for n in range(1_000)),
        "deep explicit keys": "? " * 400_000,
        "half a million empty items": "a: [" + "," * 500_000 + "]",
        "two hundred thousand items": "a:\n" + "- 1\n" * 200_000,
        "a hundred thousand keys": "".join(f"k{n}: 1\n" for n in range(90_000)),
        "a hundred thousand documents": "---\n" * 250_000,
        "two thousand empty objects": "--- {}\n" * 2_000,
        "a million spaces": " " * 1_000_000,
        "a million line ends": "\n" * 1_000_000,
        "a million comment lines": "#\n" * 500_000,
        "a line of a million": "a: " + "x" * 1_000_000,
        "a quoted million": 'a: "' + "\\u2028" * 170_000 + '"',
        "a folded million": "a: >\n" + " x\n" * 300_000,
        "open quotes": "'" * 999_999,
        "a key of a million": "x" * 1_000_000 + ": 1",
        "a number of a million digits": "a: " + "1" * 1_000_000,
        "a number of a million digits in base 16": "a: 0x" + "f" * 1_000_000,
        "a million underscores": "a: 1" + "_" * 1_000_000,
        "an exponent of nines": "a: 1e" + "9" * 300,
        "a hundred thousand anchors": "a:\n" + "".join(f"- &a{n} 1\n" for n in range(70_000)),
        "one anchor again and again": "a:\n" + "- &a 1\n" * 120_000,
        "tags": "a: " + "!!str " * 100_000,
        "a tag of a million": "a: !" + "x" * 1_000_000 + " 1",
        "directives": "%FOO bar\n" * 100_000 + "---\na: 1",
        "tag directives": "".join(f"%TAG !t{n}! tag:x,2000:{n}\n" for n in range(20_000)) + "---\na: 1",
        "python": "!!python/object/apply:os.system [id]",
        "nulls of bytes": "\0" * 1_000_000,
        "tabs": "\t" * 1_000_000,
        "byte order marks": "\ufeff" * 300_000,
        "astral": "a: " + "😀" * 250_000,
        "a key twice": "a: 1\n" * 200_000,
        "lists in lists": "kind: List\nitems:\n- " + "{kind: List, items: [" * 30 + "]}" * 30,
        "a list of everything": "kind: List\nitems: [" + "{}," * 300_000 + "]",
    }
    for name, text in texts.items():
        for head in ("", HEAD):
            data = (head + text).encode("utf-8", "surrogatepass")
            yield f"{name}{' in an object' if head else ''}", "a.yaml", data[: million - 1]
    yield "too large", "a.yaml", b"a" * (million + 1)
    yield "not UTF-8", "a.yaml", b"\xff\xfe" * 500_000
    yield "UTF-16", "a.yaml", "a: 1\n".encode("utf-16") * 1_000
    for name, data in {
        "brackets": b"[" * 1_000_000,
        "braces": b'{"a":' * 200_000,
        "closed brackets": b"[" * 500_000 + b"]" * 500_000,
        "a number": b"1" * 1_000_000,
        "a fraction": b"0." + b"1" * 1_000_000,
        "an exponent": b'{"a": 1e' + b"9" * 1_000_000 + b"}",
        "escapes": b'{"a": "' + b"\\u0041" * 170_000 + b'"}',
        "half a pair": b'{"a": "\\ud83d"}',
        "keys": b"{" + b",".join(b'"k%d":1' % n for n in range(90_000)) + b"}",
        "one key": b"{" + b'"a":1,' * 170_000 + b'"b":1}',
        "items": b"[" + b"[]," * 340_000 + b"1]",
        "NaN": b'{"a": NaN}',
        "nothing": b"",
        "spaces": b" " * 1_000_000,
    }.items():
        yield f"JSON: {name}", "a.json", data


# fmt: off
WORDS = (
    "- ", "? ", ": ", "a: ", "\n", "\n  ", "\n    ", "---\n", "...\n", "[", "]", "{", "}", ",", "&a ", "*a", "&b ", "*b", "<<: ",
    "!!int ", "!!str ", "! ", "!x ", "'", '"', "|\n", ">-\n", "# x\n", "%YAML 1.1\n", "12:30", "0o17", "~", "1e3", ".inf",
    "\\", "\\x", "\ufeff", "\x85", "\u2028", "😀", "ä", "\0", "\x7f", "\t", "0" * 50, "x" * 200, "kind: List\nitems: ", HEAD,
    "`", "@", "=", "<<",
)
# fmt: on


def by_seed(seed: int, many: int = MANY) -> Iterator[Bomb]:
    """Words of YAML in any order, pieces doubled and cut, and bytes that were changed: small and large."""
    chance = random.Random(seed)
    for number in range(many):
        text = "".join(chance.choice(WORDS) for _ in range(chance.choice((5, 30, 300))))
        for _ in range(chance.choice((0, 0, 1, 3))):
            start = chance.randrange(len(text))
            piece = text[start : start + chance.choice((1, 5, 40))]
            text = text[:start] + piece * chance.choice((2, 20, 2_000)) + text[start:]
        data = bytearray((HEAD * chance.randrange(2) + text).encode()[:1_000_000])
        for _ in range(chance.choice((0, 0, 0, 2))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield f"number {number}", chance.choice(("a.yaml", "a.yaml", "a.yaml", "a.json")), bytes(data)


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    measured = []
    for bomb in (*by_hand(), *by_seed(seed)):
        took = float("inf")
        for _ in range(3):
            began = time.process_time()
            what = take(bomb)
            took = min(took, time.process_time() - began)
        tracemalloc.start()
        take(bomb)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        measured.append((took, peak, bomb[0], len(bomb[2]), what))
    print(
        f"seed {seed}: {len(measured)} documents, {sum(each[4] == 'taken' for each in measured)} taken, the others refused"
    )
    by_time = sorted(measured, key=lambda each: each[0], reverse=True)
    by_memory = sorted(measured, key=lambda each: each[1], reverse=True)
    for title, worst in (("slowest", by_time[:10]), ("largest", by_memory[:5])):
        print(title)
        for took, peak, name, size, what in worst:
            print(f"  {took * 1000:6.1f} ms  {peak / 2**20:5.1f} MiB  {size:8} bytes  {name}: {what[:70]}")


if __name__ == "__main__":
    main()
