"""The gcloud of a rehearsal: it signs in, and takes a secret's text, as people do by hand. No write of ours goes here."""

import json
import os
import sys
import urllib.request
from base64 import b64encode
from pathlib import Path


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
            project = flags.get("--project") or os.environ["GOOGLE_CLOUD_PROJECT"]
            url = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets/{name}:addVersion"
            body = json.dumps({"payload": {"data": b64encode(data).decode()}}).encode()
            headers = {"Authorization": "Bearer played", "Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
                print(f"Created version [{json.load(answer)['name'].rpartition('/')[2]}] of the secret [{name}].")
        case _:
            line = " ".join(words)
            print(
                f"ERROR: the gcloud of a rehearsal does not play `gcloud {line}`. Writes: --no-gcloud", file=sys.stderr
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
