"""What the walk finds for Kustomize, and what it refuses before Kustomize sees it."""

import pytest

from downwind.adapters.memory_tree import MemoryTree
from downwind.errors import Refused
from downwind.render.kustomize import kustomization
from downwind.render.tree import TreeLimits

OBJECT = b"kind: A\n"


def walk(files: dict[str, bytes | str], path: str = "app", special: dict[str, str] | None = None) -> set[str]:
    content = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return set(kustomization(MemoryTree(content, special), path).files)


def test_every_way_to_name_a_file_is_followed_and_nothing_else_is_copied() -> None:
    kustomization = """
resources: [a.yaml, ../base]
components: [part]
crds: [crd.json]
configurations: [names.yaml]
openapi: {path: schema.json}
patchesStrategicMerge: [merge.yaml, "{kind: A}", "kind: B\\nmetadata: {name: b}"]
patchesJson6902: [{target: {kind: A}, path: old.json}]
patches: [{path: new.yaml}, {patch: "kind: A"}]
replacements: [{path: replace.yaml}, {source: {kind: A}, targets: []}]
configMapGenerator: [{name: a, files: [text.txt, "key=other.txt"], envs: [some.env], env: one.env, literals: ["x=y"]}]
secretGenerator: [{name: b, files: [secret.txt]}]
generators: [generator.yaml, "{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: x}, files: [inline.txt]}"]
transformers: [transformers]
validators: ["apiVersion: builtin\\nkind: PatchTransformer\\nmetadata: {name: x}\\npath: check.yaml\\n"]
images: [{name: shop, newTag: v1}]
"""
    named = """a.yaml part/kustomization.yaml crd.json names.yaml schema.json merge.yaml old.json new.yaml replace.yaml text.txt
        other.txt some.env one.env secret.txt generator.yaml inline.txt transformers/kustomization.yaml transformers/t.yaml
        check.yaml generated.env patched.yaml""".split()  # noqa: SIM905 - as a list it is twenty lines
    files: dict[str, bytes | str] = {f"app/{name}": OBJECT for name in named}
    files |= {
        "app/kustomization.yaml": kustomization,
        "app/part/kustomization.yaml": "kind: Component",
        "app/generator.yaml": "apiVersion: builtin\nkind: SecretGenerator\nenvs: [generated.env]",
        "app/transformers/kustomization.yaml": "resources: [t.yaml]",
        "app/transformers/t.yaml": "apiVersion: builtin\nkind: PatchStrategicMergeTransformer\npaths: [../patched.yaml]",
        "base/kustomization.yml": "bases: [deeper]",
        "base/deeper/Kustomization": "resources: [x.yaml]",
        "base/deeper/x.yaml": OBJECT,
    }
    wanted = set(files)
    files |= {"app/unused.yaml": OBJECT, "secret": OBJECT, "base/deeper/other.yaml": "a: ["}
    assert walk(files) == wanted


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/acme/bases//web?ref=v1",
        "http://example.com/a.yaml",
        "github.com/acme/bases",
        "GitHub.com/acme/bases",
        "git@github.com:acme/bases",
        "user@host/acme/bases",
        "ssh://git@host/a",
        "file:///etc",
        "git::file:///tmp?ref=--upload-pack=x",
        "GIT::https://host/a",
        "gh:acme/bases",
        "host:acme/bases",
        "dev.azure.example/x/_git/y",
        "s3::https://bucket/a",
    ],
)
@pytest.mark.parametrize("field", ["resources", "bases", "components", "generators", "transformers", "validators"])
def test_an_address_is_refused_even_where_a_directory_has_that_name(address: str, field: str) -> None:
    files: dict[str, bytes | str] = {"app/kustomization.yaml": f'{field}: ["{address}"]'}
    if "//" not in address:
        files[f"app/{address}/kustomization.yaml"] = OBJECT
    with pytest.raises(Refused, match="address outside this repository") as caught:
        walk(files)
    assert caught.value.field == f"app/kustomization.yaml: {field}[0]"
    assert caught.value.fix is not None


@pytest.mark.parametrize(
    "field",
    [
        'crds: ["{}"]',
        'configurations: ["{}"]',
        'openapi: {{path: "{}"}}',
        'patchesStrategicMerge: ["{}"]',
        'patches: [{{path: "{}"}}]',
        'patchesJson6902: [{{path: "{}"}}]',
        'replacements: [{{path: "{}"}}]',
        'configMapGenerator: [{{files: ["{}"]}}]',
        'configMapGenerator: [{{files: ["key={}"]}}]',
        'secretGenerator: [{{envs: ["{}"]}}]',
        'secretGenerator: [{{env: "{}"}}]',
        "generators: [\"{{apiVersion: builtin, kind: ConfigMapGenerator, files: ['{}']}}\"]",
    ],
)
def test_no_field_fetches_a_file(field: str) -> None:
    with pytest.raises(Refused, match="address outside this repository"):
        walk({"app/kustomization.yaml": field.format("https://example.com/a")})
    with pytest.raises(Refused, match="is a path of the machine"):
        walk({"app/kustomization.yaml": field.format("/etc/passwd")})
    with pytest.raises(Refused, match="leaves the repository"):
        walk({"app/kustomization.yaml": field.format("../../etc/passwd")})
    with pytest.raises(Refused, match="is not in this repository"):
        walk({"app/kustomization.yaml": field.format("nothing.yaml")})


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("apiVersion: acme/v1\nkind: Mine\n", "a plugin of its own"),
        ("apiVersion: builtin\nkind: HelmChartInflationGenerator\n", "Helm inside Kustomize"),
        ("apiVersion: v1\nmetadata: {annotations: {config.kubernetes.io/function: 'exec: {path: x}'}}\n", "a function"),
        ("apiVersion: builtin\nmetadata: {annotations: {config.k8s.io/function: 'starlark: {}'}}\n", "a function"),
    ],
)
@pytest.mark.parametrize("field", ["generators", "transformers", "validators"])
def test_plugins_that_are_programs_are_off(plugin: str, said: str, field: str) -> None:
    with pytest.raises(Refused, match=said):
        walk({"app/kustomization.yaml": f"{field}: [p.yaml]", "app/p.yaml": plugin})
    with pytest.raises(Refused, match=said):
        nested = {"app/p/kustomization.yaml": "resources: [p.yaml]", "app/p/p.yaml": plugin}
        walk({"app/kustomization.yaml": f"{field}: [p]", **nested})


@pytest.mark.parametrize("field", ["helmCharts: []", "helmGlobals: {}", "helmChartInflationGenerator: []"])
def test_helm_inside_kustomize_is_off_and_the_fix_is_said(field: str) -> None:
    with pytest.raises(Refused, match="runs Helm inside Kustomize") as caught:
        walk({"app/kustomization.yaml": field})
    assert "a part of its own" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("kustomization", "said"),
    [
        ("Resources: [https://example.com/a]", "Resources is not a field"),
        ("configMapGenerator: [{Files: [https://example.com/a]}]", "Files is not a field"),
        ("patches: [{PATH: https://example.com/a}]", "PATH is not a field"),
        ("a: 1\n---\nb: 2", "holds 2 documents"),
        ("resources: [a", "not YAML"),
    ],
)
def test_what_kustomize_would_read_otherwise_than_the_walk_is_refused(kustomization: str, said: str) -> None:
    """Go's JSON takes field names in any case."""
    with pytest.raises(Refused, match=said):
        walk({"app/kustomization.yaml": kustomization})


def test_a_directory_needs_exactly_one_kustomization() -> None:
    with pytest.raises(Refused, match=r"base has no kustomization\.yaml"):
        walk({"app/kustomization.yaml": "resources: [../base]", "base/a.yaml": OBJECT})
    with pytest.raises(Refused, match="app has 2 kustomization files"):
        walk({"app/kustomization.yaml": "resources: []", "app/Kustomization": "resources: []"})


def test_a_directory_of_that_name_is_no_kustomization() -> None:
    assert len(walk({"app/kustomization.yaml": "resources: []", "app/Kustomization/a.yaml": OBJECT})) == 1


def test_a_circle_ends() -> None:
    assert (
        len(walk({"app/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../app]"})) == 2
    )


def test_limits_hold_for_all_that_is_needed_together() -> None:
    files = {"app/kustomization.yaml": b"resources: [a.yaml, b.yaml]", "app/a.yaml": OBJECT, "app/b.yaml": OBJECT}
    with pytest.raises(Refused, match="more than 2 files"):
        kustomization(MemoryTree(files), "app", limits=TreeLimits(files=2))
    chain = {f"{number}/kustomization.yaml": b"resources: [../%d]" % (number + 1) for number in range(600)}
    with pytest.raises(Refused, match="more than 500 kustomizations"):
        kustomization(MemoryTree(chain), "0")


def test_links_lead_inside_and_submodules_nowhere() -> None:
    files: dict[str, bytes | str] = {"app/kustomization.yaml": "resources: [a.yaml]", "other.yaml": OBJECT}
    assert "app/a.yaml" in walk(files, special={"app/a.yaml": "symlink ../other.yaml"})
    with pytest.raises(Refused, match="leaves the repository"):
        walk(files, special={"app/a.yaml": "symlink ../../other.yaml"})
    with pytest.raises(Refused, match="is a submodule"):
        walk({"app/kustomization.yaml": "resources: [m/a.yaml]"}, special={"app/m": "submodule"})


@pytest.mark.parametrize(
    "field",
    [
        r'patchesStrategicMerge: ["x\n/../../../secret.yaml"]',
        'patchesStrategicMerge: ["a: b/../../../secret.yaml"]',
        'patchesStrategicMerge: ["/proc: x\\n/../self/environ"]',
        'patchesStrategicMerge: ["http://127.0.0.1/secret.yaml?q: x"]',
        r'transformers: ["apiVersion: builtin\nkind: X/../../../secret.yaml"]',
    ],
)
def test_what_stands_in_a_kustomization_never_leads_out_of_the_tree(field: str) -> None:
    """Kustomize takes a text that it cannot read as objects for a path, and cleans that letter by letter."""
    with pytest.raises(Refused, match="a path or an address outside this repository"):
        walk({"app/kustomization.yaml": field})


def test_a_patch_may_have_paths_in_it() -> None:
    patch = '"kind: A\\nmetadata: {name: a}\\nspec: {image: a/b/c, args: [../../x, /../y, http://b]}"'
    assert walk({"app/kustomization.yaml": f"patchesStrategicMerge: [{patch}]"}) == {"app/kustomization.yaml"}


@pytest.mark.parametrize("plugin", ["{apiVersion: builtin, kind: X}", "{apiVersion: builtin, metadata: {name: a}}"])
def test_a_plugin_that_stands_there_is_one_that_kustomize_reads_as_an_object(plugin: str) -> None:
    """Else it would read a file of that very name, which nobody has looked at."""
    files = {"app/kustomization.yaml": f'transformers: ["{plugin}"]\nconfigMapGenerator: [{{files: ["{plugin}"]}}]'}
    with pytest.raises(Refused, match=r"transformers\[0\] has no kind and metadata.name"):
        walk({**files, f"app/{plugin}": "apiVersion: builtin\nkind: PatchTransformer\npath: /etc/passwd"})


def test_what_a_plugin_reads_is_not_changed_after_it_was_looked_at() -> None:
    plugin = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: a.yaml"
    patch = (
        "patches: [{patch: '[{op: replace, path: /path, value: ../../secret.yaml}]', target: {kind: PatchTransformer}}]"
    )
    files: dict[str, bytes | str] = {
        "app/kustomization.yaml": "transformers: [plugins]",
        "app/plugins/kustomization.yaml": f"resources: [p.yaml]\n{patch}",
        "app/plugins/p.yaml": plugin,
        "app/plugins/a.yaml": OBJECT,
    }
    with pytest.raises(Refused, match="patches could change what plugins read"):
        walk(files)


def test_a_field_of_a_plugin_counts_in_one_spelling() -> None:
    plugin = r'"apiVersion: builtin\nkind: ReplacementTransformer\nmetadata: {name: a}\nReplacements: [{path: ../../r.yaml}]"'
    with pytest.raises(Refused, match="Replacements is not a field"):
        walk({"app/kustomization.yaml": f"transformers: [{plugin}]"})
