"""Where Kustomize and Helm come from: the projects' own release archives, each by its pinned SHA-256; or, where none can be had,
built by Go from the pinned module, whose hash is checked too. Neither trusts the network.
"""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from downwind.adapters.engine_programs import RECORD
from downwind.errors import Refused
from downwind.render.engine import ENGINES

_MOST = 64 << 20
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`archives`: platform to the SHA-256 of its release archive. `hash`: of the module, as go.sum writes it."""

    host: str
    archive: str
    member: str
    package: str
    module: str
    hash: str
    flags: str = "-s -w"
    archives: dict[str, str] = field(default_factory=dict)


SOURCES = {
    "kustomize": Source(
        host="https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize/v{version}",
        archive="kustomize_v{version}_{os}_{arch}.tar.gz",
        member="kustomize",
        package="sigs.k8s.io/kustomize/kustomize/v5",
        module="sigs.k8s.io/kustomize/kustomize/v5",
        hash="h1:sSNeWwgkdSMGCIavtY63JQMgBJkGv3IwOltWVZy+LFQ=",
        archives={
            "linux-amd64": "06af0a202c2b831207d0173f9c9cdb1b30abceca0747cb3fbb72792d26055c95",
            "linux-arm64": "0991957191951cb7dddd142403b5bb98a1fcd6378ba0079dddc1e2c309080a7f",
        },
    ),
    "helm": Source(
        host="https://get.helm.sh",
        archive="helm-v{version}-{os}-{arch}.tar.gz",
        member="{os}-{arch}/helm",
        package="helm.sh/helm/v4/cmd/helm",
        module="helm.sh/helm/v4",
        hash="h1:wLRTNXzy96ro7waurWMsymlUPaCQOj5nokpJZJNen/w=",
        flags="-s -w -X helm.sh/helm/v4/internal/version.version=v{version}",
        archives={
            "linux-amd64": "86584a54def73570558f66f5111cc53dfed56689637ae32c1201205d494f54fb",
            "linux-arm64": "31c5794dd55c66a51e6b7d2e2ac7a114ae8b1de41ff1d9ba51748ac973b06a08",
            "darwin-amd64": "347a784877e0e20eac865e8d1c36a80f6bb0861d6f29abd34defb6570ef95d92",
        },
    ),
}


def this_platform() -> str:
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{platform.system().lower()}-{machine.get(platform.machine().lower(), platform.machine().lower())}"


def get(
    folder: Path, wanted: str, mirror: str | None, say: Say, sources: Mapping[str, Source] = SOURCES
) -> dict[str, dict[str, str]]:
    """Both programs for a platform in `folder`, with the record that says what they are. What is there and right stays.

    `mirror`: a folder of release archives, by https or file, instead of the projects' own hosts. Refused, with what was tried,
    where one of them can't be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = _recorded(folder)
    for name, version in ENGINES.items():
        path = folder / name
        about = record.get(name, {})
        if path.is_file() and about.get("version") == version and about.get("sha256") == _sha256(path.read_bytes()):
            continue
        data, source = _obtain(name, version, sources[name], wanted, mirror, say)
        part = folder / f".{name}.part"
        part.write_bytes(data)
        part.chmod(0o755)
        part.replace(path)
        record[name] = {"version": version, "sha256": _sha256(data), "source": source}
        (folder / f".{RECORD}.part").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        (folder / f".{RECORD}.part").replace(folder / RECORD)
    return record


def _recorded(folder: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _obtain(name: str, version: str, source: Source, wanted: str, mirror: str | None, say: Say) -> tuple[bytes, str]:
    system, _, machine = wanted.partition("-")
    words = {"version": version, "os": system, "arch": machine}
    tried = []
    if wanted in source.archives:
        url = f"{(mirror or source.host).rstrip('/')}/{source.archive}".format(**words)
        say(f"{name} {version}: {url}")
        try:
            return _unpacked(_download(url, source.archives[wanted]), source.member.format(**words)), url
        except (OSError, Refused) as error:
            tried.append(f"{url}: {error}")
    else:
        tried.append(f"no checksum is pinned for {wanted}")
    if wanted == this_platform() and shutil.which("go"):
        say(f"{name} {version}: {tried[-1]}; building it with Go (Helm takes some minutes)")
        return _built(source, version), f"{source.module}@v{version} {source.hash}"
    raise Refused(
        f"{name} {version} for {wanted} can't be had: {'; '.join(tried)}",
        fix="name a mirror of the release archives with --mirror, or install Go",
    )


def _download(url: str, wanted: str) -> bytes:
    if not url.startswith(("https://", "file://")):
        raise Refused(f"{url} is neither https nor file", fix="name another mirror")
    with urllib.request.urlopen(url, timeout=60) as answer:
        data: bytes = answer.read(_MOST + 1)
    if _sha256(data) != wanted:
        raise Refused(f"its SHA-256 is {_sha256(data)}, not {wanted}", fix="trust it in no case")
    return data


def _unpacked(archive: bytes, member: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        file = opened.extractfile(member)
        if file is None:
            raise Refused(f"there is no {member} in it", fix="tell the project that made it")
        return file.read()


def _built(source: Source, version: str) -> bytes:
    """As small and as reproducible as Go makes it; the module's own go.sum holds what it depends on."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        told = _go(["mod", "download", "-json", f"{source.module}@v{version}"], environment, folder)
        found = json.loads(told).get("Sum")
        if found != source.hash:
            raise Refused(f"{source.module}@v{version} is {found}, not {source.hash}", fix="trust it in no case")
        flags = source.flags.format(version=version)
        _go(["install", "-trimpath", "-ldflags", flags, f"{source.package}@v{version}"], environment, folder)
        return next(path for path in Path(folder).iterdir() if path.is_file()).read_bytes()


def _go(arguments: list[str], environment: dict[str, str], folder: str) -> str:
    done = subprocess.run(
        ["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=3600
    )
    if done.returncode != 0:
        raise Refused(f"go {arguments[0]} failed: {done.stderr[-400:]}", fix="look whether Go reaches its modules")
    return done.stdout


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
