"""Sends orders to the function `operate`, with an ID token of the person at the keyboard."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from downwind.cli.identity import claimed
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.settings import Settings

TIMEOUT = 120
_TOKEN_TIMEOUT = 60
_ANSWER_LIMIT = 4 * 1024 * 1024
_LOGIN = "gcloud auth login"


def post_order(settings: Settings, environment: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's document. Refused: operate said no, with its reason; TransientError: it did not answer, or could not record
    the order: the same id again does no harm."""
    url = str(settings.operate_url)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {_token(settings, environment)}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return _document(answer.read(_ANSWER_LIMIT))
    except urllib.error.HTTPError as error:
        with error:
            told = _document(error.read(_ANSWER_LIMIT), lenient=True).get("error") or {}
        reason = str(told.get("reason") or f"operate answered {error.code}")
        if error.code in {408, 429} or error.code >= 500:
            raise TransientError(
                f"{reason} (order {body['id']}; give --id {body['id']} to send the same again)"
            ) from None
        raise Refused(reason, field=told.get("field"), fix=told.get("fix")) from None
    except OSError as error:
        raise TransientError(f"operate at {url} did not answer: {error} (order {body['id']})") from None


def _document(data: bytes, *, lenient: bool = False) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    if lenient:
        return {}
    raise TransientError("operate's answer is no JSON object")


def _token(settings: Settings, environment: Mapping[str, str]) -> str:
    if settings.local and settings.certs_url is not None and settings.person is not None:
        return _local_token(settings)
    url = urlsplit(str(settings.operate_url))
    if url.scheme != "https" and url.hostname not in {"127.0.0.1", "localhost"}:
        raise Refused("DOWNWIND_OPERATE_URL is no https address: a token would travel in clear", fix="write https://…")
    return _gcloud_token(settings, environment) if shutil.which("gcloud") else _own_token(settings)


def _local_token(settings: Settings) -> str:
    """The local world signs for whom it is told to."""
    url = str(settings.certs_url).replace("/-/certs", "/-/token")
    body = json.dumps({"audience": settings.operate_url, "email": settings.person}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return str(json.loads(answer.read())["token"])
    except (OSError, ValueError, KeyError) as error:
        raise TransientError("the local world gave no token") from error


def _gcloud_token(settings: Settings, environment: Mapping[str, str]) -> str:
    """A person's token has gcloud's own client id as its audience; only a service account can name another."""
    command = ["gcloud", "auth", "print-identity-token"]
    if claimed(environment).endswith(".gserviceaccount.com"):
        command.append(f"--audiences={settings.operate_url}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TOKEN_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured("gcloud gave no ID token", fix=_LOGIN) from error
    if done.returncode != 0 or not done.stdout.strip():
        said = " ".join(done.stderr.split())[:300]
        raise Misconfigured(f"gcloud gave no ID token: {said}", fix=_LOGIN)
    return done.stdout.strip()


def _own_token(settings: Settings) -> str:
    """Without gcloud: of a service account, by its key file or the metadata server."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    fetch: Any = id_token.fetch_id_token  # it has no type hints
    try:
        return str(fetch(Request(), settings.operate_url))
    except GoogleAuthError as error:
        raise Misconfigured(
            "there is no gcloud here, and no service account to make an ID token", fix=_LOGIN
        ) from error
