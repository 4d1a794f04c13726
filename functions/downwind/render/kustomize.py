"""What a kustomization needs of the tree, found before Kustomize sees any of it: every file that it names, and nothing else.

Fields: kustomize api/types, 5.8.2. A field that names a file in a way that is not known here finds no file in the copy, and
Kustomize says so; it never finds more.
"""

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.render.addresses import local_directory, local_file, refuse_as_path
from downwind.render.engine import KUSTOMIZATIONS, Fetched
from downwind.render.remote import MOUNTS, MountedTree, Trees, mount_of
from downwind.render.tree import TREE_LIMITS, FileTree, TreeLimits, TreeReader
from downwind.render.yaml_reader import read_documents

_PLUGINS = ("generators", "transformers", "validators")
_HELM = ("helmCharts", "helmGlobals", "helmChartInflationGenerator")
_FIELDS = frozenset(
    """apiVersion kind metadata openapi namePrefix nameSuffix namespace commonLabels labels commonAnnotations
    patchesStrategicMerge patchesJson6902 patches images imageTags replacements replicas vars sortOptions resources components
    crds bases configMapGenerator secretGenerator generatorOptions configurations generators transformers validators
    buildMetadata inventory""".split()  # noqa: SIM905 - as a list it is sixty lines
)
_NAMING = {name.lower(): name for name in "path paths files envs env patch patches replacements".split()}  # noqa: SIM905
_OF_PLUGINS = frozenset({"apiVersion", "kind", "metadata", "resources", "bases"})
_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
_MOST_ROOTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Kustomization:
    """`files`: content by path from the tree's root."""

    files: dict[str, bytes]
    fetched: tuple[Fetched, ...]


def kustomization(
    tree: FileTree,
    path: str,
    allowed: tuple[str, ...] = (),
    trees: Trees | None = None,
    limits: TreeLimits = TREE_LIMITS,
) -> Kustomization:
    """Every file that `kustomize build path` reads, by its path from the tree's root. A base of another repository that
    `allowed` names is read from `trees`, and its address becomes a path.

    Refused, naming kustomization and field: any other address outside the tree, a path that is not in it, a chart to inflate,
    and plugins that are programs, containers or scripts.
    """
    mounted = MountedTree(tree, trees, allowed)
    walk = _Walk(mounted, TreeReader(mounted, limits))
    walk.add(walk.reader.directory(path), plugins=False)
    walk.run()
    return Kustomization(files=walk.files, fetched=mounted.fetched)


class _Walk:
    def __init__(self, mounted: MountedTree, reader: TreeReader) -> None:
        self._mounted = mounted
        self.reader = reader
        self._known: set[tuple[str, bool]] = set()
        self._pending: list[tuple[str, bool]] = []
        self.files: dict[str, bytes] = {}

    def add(self, path: str, *, plugins: bool) -> None:
        """A directory with a kustomization. `plugins`: its resources are configurations of plugins."""
        if (path, plugins) in self._known:
            return
        self._known.add((path, plugins))
        self._pending.append((path, plugins))
        if len(self._known) > _MOST_ROOTS:
            raise Refused(f"more than {_MOST_ROOTS} kustomizations are needed", field=path, fix="use fewer")

    def run(self) -> None:
        while self._pending:
            path, plugins = self._pending.pop()
            self._root(path, plugins=plugins)

    def _root(self, path: str, *, plugins: bool) -> None:
        found = sorted(name for name in KUSTOMIZATIONS if self.reader.has(path, name))
        if len(found) != 1:
            what = f"{len(found)} kustomization files" if found else "no kustomization.yaml"
            raise Refused(
                f"{path or '.'} has {what}", field=path, fix="a directory that is named here needs exactly one"
            )
        file = posixpath.join(path, found[0])
        documents = read_documents(file, self._take(file))
        if len(documents) != 1:
            raise Refused(f"{file} holds {len(documents)} documents", field=file, fix="write one kustomization a file")
        self._kustomization(documents[0], file, path, plugins=plugins)

    def _kustomization(self, document: Mapping[str, Any], file: str, path: str, *, plugins: bool) -> None:
        for name in document:
            if name in _HELM:
                raise Refused(
                    f"{file}: {name} runs Helm inside Kustomize, which is off",
                    field=f"{file}: {name}",
                    fix="render that chart as a part of its own, or commit what it renders to",
                )
            if name not in _FIELDS:
                raise Refused(
                    f"{file}: {name} is not a field of a kustomization", field=f"{file}: {name}", fix="correct it"
                )
            if plugins and name not in _OF_PLUGINS:
                raise Refused(
                    f"{file}: {name} could change what plugins read after it was looked at",
                    field=f"{file}: {name}",
                    fix="list the plugins' own files under resources",
                )
        self._mount_bases(document, file, path)
        for name in ("resources", "bases"):
            for where, value in _texts(document, name, file):
                self._resource(local_directory(value, where), where, path, plugins=plugins)
        for where, value in _texts(document, "components", file):
            self._directory(local_directory(value, where), where, path)
        for name in ("crds", "configurations"):
            for where, value in _texts(document, name, file):
                self._file(value, where, path)
        openapi = document.get("openapi")
        if isinstance(openapi, Mapping):
            self._named(openapi, f"{file}: openapi", path)
        for where, value in _texts(document, "patchesStrategicMerge", file):
            self._file_or_inline(value, where, path)
        for name in ("patchesJson6902", "patches", "replacements", "configMapGenerator", "secretGenerator"):
            for where, value in _items(document, name, file):
                if isinstance(value, Mapping):
                    self._named(value, where, path)
        for name in _PLUGINS:
            for where, value in _texts(document, name, file):
                self._plugin(value, where, path)

    def _mount_bases(self, document: Mapping[str, Any], file: str, path: str) -> None:
        """Where an address was allowed, the copy of the kustomization names a path instead."""
        changed = False
        for name in ("resources", "bases", "components"):
            for index, (where, value) in enumerate(_items(document, name, file)):
                mounted = self._mounted.mount(value, where) if isinstance(value, str) else None
                if mounted is not None:
                    self.reader.forget("")
                    self.reader.forget(MOUNTS)
                    document[name][index] = posixpath.relpath(mounted, path or ".")
                    changed = True
        if changed:
            self.files[file] = json.dumps(document).encode()

    def _locate(self, full: str, where: str, path: str) -> tuple[str, str] | None:
        """Refused: it is in another repository than what names it, and no address says so."""
        found = self.reader.locate(full)
        if found is not None and mount_of(found[0]) not in {mount_of(path), mount_of(full)}:
            raise Refused(f"{where}: {full} leaves its repository", field=where, fix="commit what it points to instead")
        if found is not None and mount_of(path) and mount_of(full) != mount_of(path) and not mount_of(full):
            raise Refused(f"{where}: {full} leaves its repository", field=where, fix="keep what it needs in it")
        return found

    def _resource(self, value: str, where: str, path: str, *, plugins: bool) -> None:
        full = posixpath.normpath(posixpath.join(path, value))
        found = self._locate(full, where, path)
        if found is None:
            raise _missing(value, where)
        if found[1] == "directory":
            self._directory(value, where, path, plugins=plugins)
        else:
            data = self._take(full)
            if plugins:
                self._check_plugins(read_documents(full, data), where, path)

    def _directory(self, value: str, where: str, path: str, *, plugins: bool = False) -> None:
        full = posixpath.normpath(posixpath.join(path, value))
        found = self._locate(full, where, path)
        if found is None or found[1] != "directory":
            raise _missing(value, where)
        self.add("" if full == "." else full, plugins=plugins)

    def _plugin(self, value: str, where: str, path: str) -> None:
        """A file, a directory, or the configuration itself."""
        if self._is_inline(value, where):
            refuse_as_path(value, where, path)
            documents = read_documents(where, value.encode())
            self._check_plugins(documents, where, path)
            if not all(_is_object(each) for each in documents):  # Kustomize would take the text for a path then
                raise Refused(f"{where} has no kind and metadata.name", field=where, fix="give it both, as text")
        else:
            self._resource(local_directory(value, where), where, path, plugins=True)

    def _check_plugins(self, documents: list[dict[str, Any]], where: str, path: str) -> None:
        for document in documents:
            metadata = document.get("metadata")
            annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
            if isinstance(annotations, Mapping) and any(name in annotations for name in _FUNCTIONS):
                raise _program(where, "a function: a program, container or script")
            if document.get("apiVersion") != "builtin":
                raise _program(where, f"a plugin of its own ({document.get('apiVersion')!s:.80})")
            if document.get("kind") == "HelmChartInflationGenerator":
                raise _program(where, "Helm inside Kustomize")
            self._named(document, where, path)

    def _named(self, value: Mapping[str, Any], where: str, path: str) -> None:
        """The files that a patch, a generator, a replacement or a plugin's configuration names."""
        for key, inner in value.items():
            if key.lower() in _NAMING and key not in _NAMING.values():
                raise Refused(f"{where}: {key} is not a field", field=where, fix=f"write {_NAMING[key.lower()]}")
            if key in {"path", "env"} and isinstance(inner, str):
                self._file(inner, f"{where}.{key}", path)
            elif key in {"files", "envs", "paths"} and isinstance(inner, list):
                for each in inner:
                    if isinstance(each, str):
                        self._file(each.rpartition("=")[2] if key == "files" else each, f"{where}.{key}", path)
            elif key in {"patches", "replacements"} and isinstance(inner, list):
                for each in inner:
                    if isinstance(each, Mapping):
                        self._named(each, f"{where}.{key}", path)
            elif key in {"paths", "patches"} and isinstance(inner, str) and "\n" not in inner:
                self._file_or_inline(inner, f"{where}.{key}", path)

    def _file_or_inline(self, value: str, where: str, path: str) -> None:
        if self._is_inline(value, where):
            refuse_as_path(value, where, path)
        else:
            self._file(value, where, path)

    @staticmethod
    def _is_inline(value: str, where: str) -> bool:
        """Several lines, or one that is a mapping by itself, such as `{apiVersion: builtin, …}`."""
        if "\n" in value:
            return True
        if not value.lstrip().startswith("{") and ": " not in value:
            return False
        try:
            return bool(read_documents(where, value.encode()))
        except Refused:
            return False

    def _file(self, value: str, where: str, path: str) -> None:
        if not value:
            return
        full = posixpath.normpath(posixpath.join(path, local_file(value, where)))
        found = self._locate(full, where, path)
        if found is None or found[1] != "file":
            raise _missing(value, where)
        self._take(full)

    def _take(self, path: str) -> bytes:
        data = self.reader.read(path)
        self.files[path] = data
        return data


def _items(document: Mapping[str, Any], name: str, file: str) -> Iterator[tuple[str, Any]]:
    found = document.get(name)
    if isinstance(found, list):
        for index, value in enumerate(found):
            yield f"{file}: {name}[{index}]", value


def _texts(document: Mapping[str, Any], name: str, file: str) -> Iterator[tuple[str, str]]:
    return ((where, value) for where, value in _items(document, name, file) if isinstance(value, str))


def _is_object(document: Mapping[str, Any]) -> bool:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return all(isinstance(each, str) and each for each in (document.get("kind"), name))


def _missing(value: str, where: str) -> Refused:
    return Refused(
        f"{where}: {value[:120]!r} is not in this repository", field=where, fix="correct the path, or commit it"
    )


def _program(where: str, what: str) -> Refused:
    fix = "use Kustomize's own generators and transformers, or commit what yours makes"
    return Refused(f"{where} is {what}, which is off", field=where, fix=fix)
