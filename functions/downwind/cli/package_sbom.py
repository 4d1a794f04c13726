"""The bill of materials of a package of the functions: every Python distribution that its requirements lock, by hash, and the
engines in it. CycloneDX 1.6 by CycloneDX's own tool; the same package gives the same bytes.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import click

from downwind.adapters.engine_programs import RECORD
from downwind.cli.engine_source import SOURCES
from downwind.errors import DownwindError, Refused

VERSION = "1.6"
_SECONDS = 300


def bill(package: Path) -> dict[str, Any]:
    """Read from the package alone. Refused when the file is none."""
    try:
        data = package.read_bytes()
        with zipfile.ZipFile(package) as archive:
            requirements = archive.read("requirements.txt")
            names = set(archive.namelist())
            record = json.loads(archive.read(f"engines/{RECORD}")) if f"engines/{RECORD}" in names else {}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Refused(
            f"{package} is no package of the functions: {type(error).__name__}", fix="scripts/package"
        ) from error
    document = _of_requirements(requirements)
    document["metadata"]["component"] = {
        "bom-ref": "package",
        "type": "application",
        "name": "downwind-functions",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}],
    }
    document["components"] += [_engine(name, about) for name, about in sorted(record.items())]
    document["dependencies"] = [
        {"ref": "package", "dependsOn": sorted(each["bom-ref"] for each in document["components"])},
        *({"ref": each["bom-ref"]} for each in document["components"]),
    ]
    return document


def _of_requirements(requirements: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_bytes(requirements)
        command = [
            sys.executable,
            "-m",
            "cyclonedx_py",
            "requirements",
            "--output-reproducible",
            "--spec-version",
            VERSION,
        ]
        command += ["--output-format", "JSON", "--output-file", "-", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-300:]
        raise Refused(
            f"cyclonedx-py failed: {said}", fix="scripts/setup installs it; it belongs to the tools of development"
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _engine(name: str, about: dict[str, str]) -> dict[str, Any]:
    return {
        "bom-ref": f"engine-{name}",
        "type": "application",
        "name": name,
        "version": about["version"],
        "purl": f"pkg:golang/{SOURCES[name].module}@v{about['version']}",
        "hashes": [{"alg": "SHA-256", "content": about["sha256"]}],
    }


@click.command("scripts/sbom", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("package", type=click.Path(dir_okay=False, exists=True, path_type=Path))
def main(package: Path) -> None:
    """Write the bill of materials (CycloneDX 1.6) of PACKAGE, a zip of scripts/package, beside it; print its path. It holds every
    Python distribution that the package's requirements lock, and the engines in it, each by hash.

    \b
    Examples:
      scripts/sbom dist/0f1e….zip
      scripts/package && scripts/sbom dist/*.zip
    """
    try:
        document = bill(package)
    except DownwindError as error:
        sys.exit(f"Error: {error}; {getattr(error, 'fix', '')}")
    out = package.with_suffix(".cdx.json")
    out.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    click.echo(out)


if __name__ == "__main__":
    main(prog_name="scripts/sbom")
