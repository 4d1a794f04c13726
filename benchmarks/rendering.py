"""Rendering beside the engines themselves: our whole way from a commit's tree to a bundle, and `kustomize build`, `kubectl
kustomize` and `helm template` as bare processes on the same files, in turn."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure
from downwind.adapters.engine_programs import Programs, cache_folder
from downwind.adapters.engine_renderer import KUBERNETES
from downwind.adapters.memory_tree import MemoryTree
from downwind.model.engines import EngineOptions
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.engine import read_objects
from downwind.wiring import make_renderer

SIZES = {"small": 5, "medium": 50, "large": 500}
IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"
RELEASE = ReleaseFacts(
    application="shop",
    environment="staging",
    namespace="shop-staging",
    commit="5d6e7f8c0c7e4c2d9a3f0b1d2e3f4a5b6c7d8e9f",
    images={IMAGE: "sha256:" + "a" * 64},
    repository="https://github.com/acme/shop.git",
)
_FIVE = """apiVersion: v1
kind: ConfigMap
metadata: {name: %(name)s}
data: {GREETING: "Welcome", LEVEL: "info", DISCOUNT: "10"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: %(name)s}
---
apiVersion: v1
kind: Service
metadata: {name: %(name)s, labels: {app: %(name)s}}
spec:
  selector: {app: %(name)s}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s, labels: {app: %(name)s}}
spec:
  replicas: %(replicas)s
  selector: {matchLabels: {app: %(name)s}}
  template:
    metadata: {labels: {app: %(name)s}}
    spec:
      serviceAccountName: %(name)s
      containers:
        - name: shop
          image: us-central1-docker.pkg.dev/acme/apps/shop:latest
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: %(name)s}}]
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {memory: 64Mi}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: %(name)s}
spec: {minAvailable: 1, selector: {matchLabels: {app: %(name)s}}}
"""


def trees(number: int) -> dict[str, dict[str, bytes]]:
    """`number` objects for each engine: five a file; the overlay sets namespace, annotation, image, replicas and one patch."""
    names = [f"shop-{index}" for index in range(number // 5)]
    files = {f"{name}.yaml": (_FIVE % {"name": name, "replicas": "1"}).encode() for name in names}
    overlay = (
        "resources: [../base]\nnamespace: shop-staging\ncommonAnnotations: {team: blue}\n"
        f"images: [{{name: {IMAGE}, newTag: v1}}]\nreplicas: [{{name: shop-0, count: 3}}]\n"
        "patches:\n- target: {kind: Deployment, name: shop-0}\n"
        "  patch: |-\n    - {op: add, path: /metadata/labels/tier, value: front}\n"
    )
    template = _FIVE % {"name": "{{ $name }}", "replicas": "{{ $.Values.replicas }}"}
    chart = "{{- range $name := .Values.names }}\n" + template + "---\n{{- end }}\n"
    return {
        "plain": {f"app/{name}": data for name, data in files.items()},
        "kustomize": {
            "base/kustomization.yaml": f"resources: [{', '.join(files)}]\n".encode(),
            **{f"base/{name}": data for name, data in files.items()},
            "app/kustomization.yaml": overlay.encode(),
        },
        "helm": {
            "app/Chart.yaml": b"apiVersion: v2\nname: shop\nversion: 1.0.0\n",
            "app/values.yaml": f"replicas: 2\nnames: [{', '.join(names)}]\n".encode(),
            "app/templates/shop.yaml": chart.encode(),
        },
    }


def rendering(runs: int) -> list[Figure]:
    """Misconfigured where the engines are not here."""
    programs = Programs([cache_folder()])
    kustomize, helm = programs.find("kustomize").path, programs.find("helm").path
    kubectl = shutil.which(os.environ.get("KUBECTL", "kubectl"))
    figures = []
    for size, number in SIZES.items():
        for engine, files in trees(number).items():
            commands = {}
            if engine == "kustomize":
                commands["kustomize build"] = [str(kustomize), "build", "."]
                if kubectl:
                    commands["kubectl kustomize"] = [kubectl, "kustomize", "."]
            if engine == "helm":
                commands["helm template"] = [str(helm), "template", "shop", ".", "--kube-version", KUBERNETES]
            samples = _in_turn(files, commands, max(3, runs if number < 500 else runs // 2))
            figures += _judged(engine, size, samples)
    return figures + _memory()


def _judged(engine: str, size: str, samples: dict[str, list[float]]) -> list[Figure]:
    """Limits: our own part is at most a fifth of the engine at 5 and 50 objects; at 500 a fifth of Kustomize, or as much as
    Helm itself."""
    ours, after = samples.pop("ours"), samples.pop("objects to bundle")
    found = [
        Figure(name=f"{engine}, {size}: a tree to its bundle", unit="s", samples=ours),
        Figure(name=f"{engine}, {size}: of that, texts to bundle", unit="s", samples=after),
    ]
    for name, bare in samples.items():
        limit = None if name == "kustomize build" else 2.0 if (engine, size) == ("helm", "large") else 1.2
        found.append(Figure(name=f"{engine}, {size}: beside {name}", unit="s", samples=ours, bare=bare, limit=limit))
    return found


def _in_turn(files: dict[str, bytes], commands: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Seconds of processor time by name, those of the processes included: on a shared machine the clock says little. The first
    round only warms."""
    tree, renderer = MemoryTree(files), make_renderer(120.0)
    found: dict[str, list[float]] = {name: [] for name in ("ours", "objects to bundle", *commands)}
    with _unpacked(files) as folder:
        for turn in range(runs + 1):
            taken = {}
            for name, command in commands.items():
                began = _busy()
                subprocess.run(command, cwd=folder, capture_output=True, check=True)
                taken[name] = _busy() - began
            began = _busy()
            rendered = renderer.render(tree, "app", EngineOptions())
            middle = _busy()
            make_bundle(read_objects(rendered), RELEASE)
            ended = _busy()
            taken |= {"ours": ended - began, "objects to bundle": ended - middle}
            if turn:
                for name, seconds in taken.items():
                    found[name].append(seconds)
    return found


@contextmanager
def _unpacked(files: dict[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(data)
        yield Path(folder) / "app"


def _busy() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in found)


def _memory() -> list[Figure]:
    """Peaks of processes that do one large rendering each, in MiB: the engine's, and ours with the engine beside it."""
    figures = []
    for engine in ("plain", "kustomize", "helm"):
        code = (
            "import resource,sys;from benchmarks.rendering import *;t=trees(500)[sys.argv[1]]\n"
            "r=make_renderer(120.0)\n"
            "make_bundle(read_objects(r.render(MemoryTree(t),'app',EngineOptions())),RELEASE)\n"
            "print(*(resource.getrusage(w).ru_maxrss/1024 for w in (resource.RUSAGE_SELF,resource.RUSAGE_CHILDREN)))"
        )
        told = subprocess.run([sys.executable, "-c", code, engine], capture_output=True, text=True, check=True).stdout
        ours, child = map(float, told.split())
        figures.append(Figure(name=f"peak memory of {engine}, large: ours", unit="MiB", samples=[ours]))
        if engine != "plain":
            figures.append(Figure(name=f"peak memory of {engine}, large: the engine", unit="MiB", samples=[child]))
    return figures
