"""The plain YAML engine: the manifests of a directory, as `kubectl apply -f DIRECTORY` takes them."""

from typing import TYPE_CHECKING

from downwind.errors import Refused
from downwind.model.engines import EngineOptions
from downwind.render.engine import EngineUsed, Rendered, Text, engine_for
from downwind.render.tree import FileTree, TreeReader

if TYPE_CHECKING:
    from dulwich.ignore import IgnoreFilter

IGNORE_FILE = ".downwindignore"
_ENDINGS = (".yaml", ".yml", ".json")


class PlainRenderer:
    """Implements `ports.Renderer` for plain manifests, and is the in-memory twin of the others: it runs nothing."""

    def render(self, tree: FileTree, path: str, options: EngineOptions) -> Rendered:
        """Refused: a directory for another engine."""
        reader = TreeReader(tree)
        engine = engine_for(reader, path)
        if engine != "plain":
            raise Refused(
                f"this directory is for {engine.capitalize()}, which is not here",
                fix="commit the rendered manifests, and point `manifests` in the catalog to their directory",
            )
        return render_plain(reader, path, options)


def render_plain(reader: TreeReader, path: str, options: EngineOptions) -> Rendered:
    """`*.yaml`, `*.yml` and `*.json`, by name; where asked for, those of the directories below it too. `.downwindignore` in
    the directory leaves files out, by the rules of `.gitignore`. Refused: options of another engine."""
    refuse_options(options, "plain")
    ignored = _ignored(reader, path)
    names = [
        name
        for name in reader.below(path, recursive=options.plain.recursive)
        if name.endswith(_ENDINGS) and not (ignored and ignored.is_ignored(name))
    ]
    texts = tuple(Text(name=name, data=reader.read(f"{path}/{name}")) for name in sorted(names))
    return Rendered(engine=EngineUsed(name="plain"), texts=texts)


def refuse_options(options: EngineOptions, engine: str) -> None:
    """Options of an engine that does not run would be silently without effect."""
    given = {"kustomize": options.kustomize, "helm": options.helm, "recursive": options.plain.recursive or None}
    for name, value in given.items():
        if value is not None and name != ("recursive" if engine == "plain" else engine):
            raise Refused(
                f"there are options for `{name}`, but this directory is for {engine}",
                field=f"manifests.{name}",
                fix="take them out, or name another directory",
            )


def _ignored(reader: TreeReader, path: str) -> "IgnoreFilter | None":
    if IGNORE_FILE not in reader.names(path):
        return None
    from io import BytesIO

    from dulwich.ignore import IgnoreFilter, read_ignore_patterns

    return IgnoreFilter(list(read_ignore_patterns(BytesIO(reader.read(f"{path}/{IGNORE_FILE}")))))
