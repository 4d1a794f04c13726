"""The step image gcr.io/cloud-builders/docker: `build`, `tag` and `push`, without an engine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from downwind.local.builds import stages
from downwind.local.builds.context import read_context
from downwind.local.builds.dockerfile import parse
from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.image import Image
from downwind.local.builds.upload import full_reference, upload

_WITH_VALUE = {"-t", "--tag", "-f", "--file", "--build-arg", "--label", "--target", "--platform"}
_IGNORED = {"--no-cache", "--pull", "-q", "--quiet", "--rm", "--force-rm"}
_IGNORED_WITH_VALUE = {"--cache-from", "--cache-to", "--network", "--progress", "--provenance", "--sbom"}


@dataclass(slots=True)
class Docker:
    """The images of one build, by full reference. As on Cloud Build, they are gone when it ends unless pushed.
    `mirror`: the registry on this machine that takes what is meant for any other."""

    workspace: Path
    mirror: str | None = None
    images: dict[str, Image] = field(default_factory=dict)

    def run(self, arguments: Sequence[str], directory: Path, say: Callable[[str], None]) -> None:
        """One command; raises BuildFailure for what went wrong or is not supported."""
        match list(arguments):
            case ["buildx", "build", *rest] | ["image", "build", *rest] | ["build", *rest]:
                self._build(rest, directory, say)
            case ["tag", source, target] | ["image", "tag", source, target]:
                self.images[full_reference(target)] = self._find(source)
            case ["push", *flags, reference] if set(flags) <= {"-q", "--quiet"}:
                self.push(reference, say)
            case ["push", "-a" | "--all-tags", name] | ["push", name, "-a" | "--all-tags"]:
                chosen = [full for full in self.images if full.rpartition(":")[0] == name]
                if not chosen:
                    raise BuildFailure(f"docker push: no image {name} in this build")
                for full in chosen:
                    self.push(full, say)
            case _:
                raise BuildFailure(f"docker {' '.join(arguments)}: the local builder knows build, tag and push")

    def push(self, reference: str, say: Callable[[str], None]) -> tuple[str, str]:
        """(full reference, digest)"""
        full = full_reference(reference)
        image = self._find(full)
        upload(image, full, mirror=self.mirror)
        say(f"pushed {full}: digest: {image.digest}")
        return full, image.digest

    def _find(self, reference: str) -> Image:
        full = full_reference(reference)
        if full not in self.images:
            raise BuildFailure(f"no image {full} was built in this build")
        return self.images[full]

    def _build(self, arguments: Sequence[str], directory: Path, say: Callable[[str], None]) -> None:
        tags: list[str] = []
        given: dict[str, str] = {}
        labels: dict[str, str] = {}
        target, file, contexts, push = None, None, list[str](), False
        for flag, value in _options(arguments):
            match flag:
                case "-t" | "--tag":
                    tags.append(full_reference(value))
                case "-f" | "--file":
                    file = value
                case "--build-arg" | "--label" if "=" in value:
                    (given if flag == "--build-arg" else labels)[value.partition("=")[0]] = value.partition("=")[2]
                case "--target":
                    target = value
                case "--push":
                    push = True
                case "--platform" if value == "linux/amd64":
                    pass
                case "":
                    contexts.append(value)
                case _:
                    raise BuildFailure(f"docker build {flag} {value}: not supported by the local builder")
        if len(contexts) != 1:
            raise BuildFailure("docker build takes exactly one context directory")
        root = self._inside(directory / contexts[0])
        dockerfile = self._inside(directory / file) if file else root / "Dockerfile"
        if not dockerfile.is_file():
            raise BuildFailure(f"docker build: no {dockerfile.relative_to(self.workspace)}")
        image = stages.build(
            parse(dockerfile.read_text()),
            read_context(root, dockerfile),
            arguments=given,
            labels=labels,
            target=target.lower() if target else None,
            say=say,
        )
        say(f"built {image.digest}")
        for tag in tags:
            self.images[tag] = image
            if push:
                self.push(tag, say)

    def _inside(self, path: Path) -> Path:
        resolved = path.resolve()
        if not resolved.is_relative_to(self.workspace.resolve()):
            raise BuildFailure(f"docker build: {path} is outside the workspace")
        return resolved


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(flag, value); the flag is "" for the context, the value "" for a switch."""
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("-"):
            yield "", flag
            continue
        name, equals, value = flag.partition("=")
        if name in _IGNORED:
            continue
        if name in _WITH_VALUE | _IGNORED_WITH_VALUE and not equals:
            if not rest:
                raise BuildFailure(f"docker build: {name} needs a value")
            value = rest.pop(0)
        if name not in _IGNORED_WITH_VALUE:
            yield name, value
