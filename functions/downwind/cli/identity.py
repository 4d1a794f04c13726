"""Who the person at the keyboard claims to be: gcloud's account where there is one, else the user of this machine."""

import configparser
import getpass
import socket
from collections.abc import Mapping
from pathlib import Path


def claimed(environment: Mapping[str, str]) -> str:
    """Recorded as claimed: the topic proves nothing of it."""
    return (_gcloud_account(environment) or f"{_user(environment)}@{socket.gethostname()}")[:256]


def _user(environment: Mapping[str, str]) -> str:
    try:
        return environment.get("LOGNAME") or environment.get("USER") or getpass.getuser()
    except (OSError, KeyError):  # no such user id in this container
        return "unknown"


def _gcloud_account(environment: Mapping[str, str]) -> str | None:
    """As `gcloud config get account` finds it, without starting gcloud (which takes a second)."""
    if environment.get("CLOUDSDK_CORE_ACCOUNT"):
        return environment["CLOUDSDK_CORE_ACCOUNT"]
    home = environment.get("HOME")
    folder = environment.get("CLOUDSDK_CONFIG") or (f"{home}/.config/gcloud" if home else None)
    if folder is None:
        return None
    name = environment.get("CLOUDSDK_ACTIVE_CONFIG_NAME")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        name = name or (Path(folder) / "active_config").read_text(encoding="utf-8").strip()
        parser.read_string((Path(folder) / "configurations" / f"config_{name}").read_text(encoding="utf-8"))
        return parser.get("core", "account", fallback=None)
    except (OSError, UnicodeDecodeError, configparser.Error):
        return None
