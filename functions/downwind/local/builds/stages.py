"""A Dockerfile's stages into an image, without an engine.

COPY, ADD of local files, ENV, ARG, WORKDIR, LABEL, USER, EXPOSE, VOLUME, STOPSIGNAL, ENTRYPOINT and CMD are real. RUN and
a FROM outside are recorded in a layer of their own, by the hash of the instruction and of all that went before it, so
that another input makes another digest; nothing of them is executed, and the log says so.
"""

import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from downwind.local.builds.context import select
from downwind.local.builds.dockerfile import Instruction, expand
from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.image import File, Image, assemble, digest_of, layer

_EXPANDED = {"COPY", "ADD", "ENV", "LABEL", "USER", "EXPOSE", "WORKDIR", "VOLUME", "STOPSIGNAL", "FROM"}
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip.tar")


@dataclass(slots=True)
class Stage:
    """One FROM and what follows. `files` is the whole file system as far as it is known here."""

    name: str
    files: dict[str, File] = field(default_factory=dict)
    layers: list[tuple[bytes, str]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    unknown: bool = False
    """Something was recorded instead of run, so files may be missing here."""

    def add(self, text: str, files: Mapping[str, File] | None = None) -> None:
        if files:
            self.layers.append(layer(files))
            self.files |= files
        self.history.append({"created_by": text} | ({} if files else {"empty_layer": True}))

    def record(self, text: str, kind: str) -> None:
        """A layer of one small file that stands for what was not run."""
        state = digest_of(json.dumps([[diff for _, diff in self.layers], sorted(self.variables.items())]).encode())
        content = json.dumps({"instruction": text, "inputs": state}, sort_keys=True).encode()
        self.add(text, {f".downwind/{kind}-{digest_of(content)[7:19]}": File(data=content)})
        self.unknown = True


def build(
    instructions: list[Instruction],
    context: dict[str, File],
    *,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    target: str | None,
    say: Callable[[str], None],
) -> Image:
    """The image of the last stage (or of `target`). Raises BuildFailure with the line and what to change."""
    stages: list[Stage] = []
    outer: dict[str, str] = {}
    for instruction in instructions:
        say(instruction.text.partition("\n")[0])
        if instruction.name == "FROM":
            if target is not None and stages and stages[-1].name == target:
                break
            stages.append(_from(instruction, stages, {**outer, **_given(arguments, outer)}, say))
        elif not stages:
            if instruction.name != "ARG":
                raise instruction.fault("comes before FROM")
            outer |= _argument(instruction, arguments, {})
        else:
            _apply(instruction, stages, context, arguments, outer, say)
    if not stages or (target is not None and stages[-1].name != target):
        raise BuildFailure(f"the Dockerfile has no stage {target}" if target else "the Dockerfile has no FROM")
    last = stages[-1]
    if labels:
        last.settings["Labels"] = {**last.settings.get("Labels", {}), **labels}
    if not last.layers:
        last.add("empty", {".downwind/empty": File()})
    return assemble(last.layers, last.settings, last.history)


def _from(
    instruction: Instruction, stages: list[Stage], variables: Mapping[str, str], say: Callable[[str], None]
) -> Stage:
    words = expand(instruction.rest, variables).split()
    if not words or (len(words) > 1 and (len(words) != 3 or words[1].upper() != "AS")):
        raise instruction.fault("write FROM image [AS name]")
    name = words[2].lower() if len(words) == 3 else str(len(stages))
    base = next((stage for stage in stages if stage.name == words[0].lower()), None)
    if base is not None:
        return Stage(
            name,
            dict(base.files),
            list(base.layers),
            list(base.history),
            _copy(base.settings),
            dict(base.variables),
            base.unknown,
        )
    stage = Stage(name)
    if words[0] != "scratch":
        say(f"warning: FROM {words[0]} is recorded, not pulled: the local builder has no engine")
        stage.record(f"FROM {words[0]}", "from")
    return stage


def _apply(
    instruction: Instruction,
    stages: list[Stage],
    context: dict[str, File],
    arguments: Mapping[str, str],
    outer: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    stage = stages[-1]
    settings = stage.settings
    if instruction.name in _EXPANDED:
        instruction = Instruction(
            line=instruction.line,
            name=instruction.name,
            rest=expand(instruction.rest, stage.variables),
            flags={key: expand(value, stage.variables) for key, value in instruction.flags.items()},
            text=instruction.text,
        )
    match instruction.name:
        case "COPY" | "ADD":
            stage.add(instruction.text, _copied(instruction, stages, context))
            return
        case "RUN":
            say("warning: RUN is recorded, not executed: the local builder has no engine")
            stage.record(instruction.text, "run")
            return
        case "ARG":
            stage.variables |= _argument(instruction, arguments, outer)
        case "ENV":
            stage.variables |= instruction.pairs()
            known = dict(item.split("=", 1) for item in settings.get("Env", []))
            settings["Env"] = [f"{key}={value}" for key, value in {**known, **instruction.pairs()}.items()]
        case "LABEL":
            settings["Labels"] = {**settings.get("Labels", {}), **instruction.pairs()}
        case "WORKDIR":
            settings["WorkingDir"] = posixpath.normpath(
                posixpath.join("/", settings.get("WorkingDir", "/"), instruction.rest)
            )
        case "USER":
            settings["User"] = instruction.rest
        case "EXPOSE":
            ports: dict[str, dict[str, str]] = {
                port if "/" in port else f"{port}/tcp": {} for port in instruction.words()
            }
            settings["ExposedPorts"] = {**settings.get("ExposedPorts", {}), **ports}
        case "VOLUME":
            settings["Volumes"] = {**settings.get("Volumes", {}), **{path: {} for path in instruction.words()}}
        case "STOPSIGNAL":
            settings["StopSignal"] = instruction.rest
        case "ENTRYPOINT":
            settings["Entrypoint"] = instruction.command()
            settings.pop("Cmd", None)
        case "CMD":
            settings["Cmd"] = instruction.command()
        case "HEALTHCHECK":
            say("warning: HEALTHCHECK has no place in an OCI image and is left out")
        case _:
            raise instruction.fault("is not supported by the local builder")
    stage.add(instruction.text)


def _copied(instruction: Instruction, stages: list[Stage], context: dict[str, File]) -> dict[str, File]:
    unknown = set(instruction.flags) - {"from", "chown", "chmod", "link"}
    if unknown or "<<" in instruction.rest:
        raise instruction.fault(
            f"{', '.join(sorted(unknown)) or 'a here-document'} is not supported by the local builder"
        )
    words = instruction.words()
    if len(words) < 2:
        raise instruction.fault("write COPY source… destination")
    *sources, destination = words
    origin, where = context, "the build context"
    if "from" in instruction.flags:
        wanted = instruction.flags["from"].lower()
        stage = next((s for at, s in enumerate(stages[:-1]) if wanted in {s.name, str(at)}), None)
        if stage is None:
            raise instruction.fault(
                f"--from={wanted}: only stages of this Dockerfile; the local builder pulls no image"
            )
        origin, where = stage.files, f"stage {wanted}"
        if stage.unknown:
            where += " (its RUN and FROM are recorded, not executed: copy what they would make from the build context)"
    target = posixpath.normpath(posixpath.join("/", stages[-1].settings.get("WorkingDir", "/"), destination)).strip("/")
    found: dict[str, File] = {}
    for source in sources:
        if instruction.name == "ADD" and ("://" in source or source.endswith(_ARCHIVES)):
            raise instruction.fault(f"{source}: only plain local files; use COPY")
        matches = select(origin, source, where)
        into = destination.endswith("/") or destination in {".", "./"} or len(sources) + len(matches) > 2 or not target
        for base, files in matches:
            for below, file in files.items():
                path = posixpath.join(target, base) if not below and into else posixpath.join(target, below)
                found[path.rstrip("/")] = _with_mode(file, instruction)
    return found


def _with_mode(file: File, instruction: Instruction) -> File:
    mode = instruction.flags.get("chmod")
    if mode is None or file.link is not None:
        return file
    try:
        return File(data=file.data, mode=int(mode, 8))
    except ValueError:
        raise instruction.fault("--chmod takes an octal number here") from None


def _argument(instruction: Instruction, given: Mapping[str, str], outer: Mapping[str, str]) -> dict[str, str]:
    key, has_default, default = instruction.rest.partition("=")
    if key in given:
        return {key: given[key]}
    if has_default:
        return {key: default.strip("\"'")}
    return {key: outer[key]} if key in outer else {}


def _given(arguments: Mapping[str, str], outer: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in arguments.items() if key in outer}


def _copy(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return found
