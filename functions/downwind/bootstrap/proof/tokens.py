"""ID tokens of somebody who may not call us: your own account's, or another one's that you may act as."""

import base64
import json
import shutil
import subprocess

from downwind.bootstrap.proof.site import Token
from downwind.errors import Misconfigured

_SECONDS = 60


def stranger(audience: str, account: str | None = None) -> Token:
    """`account`: a service account that gcloud may impersonate; None: who is signed in here. Raises Misconfigured."""
    return read(_by_gcloud(audience, account) if shutil.which("gcloud") else _of_this_machine(audience, account))


def read(text: str) -> Token:
    """Whose it is, as the token says; nothing is checked, since those who are asked do that."""
    try:
        middle = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return Token(email=str(claims["email"]), text=text)
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured("the ID token names no e-mail", fix="sign in with an account: gcloud auth login") from error


def _by_gcloud(audience: str, account: str | None) -> str:
    command = ["gcloud", "auth", "print-identity-token"]
    if account is not None:
        # Only a service account's token can name another audience than gcloud's own.
        command += [f"--impersonate-service-account={account}", f"--audiences={audience}", "--include-email"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured("gcloud gave no ID token", fix="gcloud auth login") from error
    if done.returncode != 0 or not done.stdout.strip():
        said = " ".join(done.stderr.split())[:300]
        raise Misconfigured(f"gcloud gave no ID token: {said}", fix="gcloud auth login")
    return done.stdout.strip()


def _of_this_machine(audience: str, account: str | None) -> str:
    """Where a build runs: of its service account, by the metadata server."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    if account is not None:
        raise Misconfigured(
            f"{account} cannot be impersonated without gcloud", fix="install gcloud, or leave --stranger out"
        )
    try:
        return str(id_token.fetch_id_token(Request(), audience))
    except GoogleAuthError as error:
        raise Misconfigured("this machine's account gave no ID token", fix="gcloud auth login") from error
