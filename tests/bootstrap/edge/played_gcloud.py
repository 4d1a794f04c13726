"""The gcloud of a rehearsal: it signs in, takes a secret's text, and enables and disables its versions, as people do by hand. No
write of ours goes here."""

import json
import os
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main(words: list[str]) -> int:
    flags = dict(each.partition("=")[::2] for each in words if each.startswith("--"))
    match [each for each in words if not each.startswith("--")]:
        case ["auth", "print-access-token"]:
            print("played")
        case ["auth", "print-identity-token"] if not flags:
            print((Path(__file__).parent / "identity-token").read_text().strip())
        case ["secrets", "versions", "add", name] if "--data-file" in flags:
            file = flags["--data-file"]
            data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            made = post(flags, f"{name}:addVersion", {"payload": {"data": b64encode(data).decode()}})
            print(f"Created version [{made['name'].rpartition('/')[2]}] of the secret [{name}].")
        case ["secrets", "versions", ("enable" | "disable") as verb, number] if "--secret" in flags:
            post(flags, f"{flags['--secret']}/versions/{number}:{verb}", {})
            print(f"{verb.capitalize()}d version [{number}] of the secret [{flags['--secret']}].")
        case _:
            line = " ".join(words)
            print(
                f"ERROR: the gcloud of a rehearsal does not play `gcloud {line}`. What `downwind bootstrap` writes: --no-gcloud",
                file=sys.stderr,
            )
            return 1
    return 0


def post(flags: Mapping[str, str], path: str, body: Mapping[str, Any]) -> Any:
    project = flags.get("--project") or os.environ["GOOGLE_CLOUD_PROJECT"]
    url = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets/{path}"
    headers = {"Authorization": "Bearer played", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
