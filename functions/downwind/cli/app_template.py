"""The catalog file that `downwind app init` writes: everything that most need, and what else there is in comments."""

import json
from collections.abc import Mapping

from downwind.render.scalars import resolve

_TEMPLATE = """\
# What Downwind knows of this application. Check it offline: downwind app check {file}
# Put it into the catalog: downwind app apply {file}
apiVersion: downwind.dev/v1
kind: Application
name: {name}
repository:
  address: {repository}
  # also: [projects/PROJECT/repos/REPOSITORY]     # other names under which its pushes are announced
  # credentials: SECRET                           # a secret's name; leave out for a public repository
# paths: ["services/{name}/**"]                   # in a monorepo: only these paths make a release
{build}
images:                                           # a release is complete when each of them has a digest
  - name: {image}
    tag: "{{commit}}"                               # how a tag names its commit, where no build lists the digest
manifests:
  path: deploy/{{environment}}                      # in the repository: plain YAML, Kustomize or Helm, at the same commit
environments:
  - name: staging
    refs: [refs/heads/main]                       # full names; refs/tags/v* works too
    namespace: {staging}
    pipeline: {{application: {name}, name: deploy-staging}}  # account: Spinnaker's, of the cluster
    on_failure: hold                              # hold | rollback | nothing
    operators: [developer@localhost]              # who may order: write your own; here the person of the local world
    requests: topic                               # other systems may deploy and promote; leave out: operators only
  - name: production
    after: staging                                # takes what succeeded there
    namespace: {namespace}
{manifests}    pipeline: {{application: {name}, name: deploy-production}}
    promotion: automatic                          # or request: downwind promote {name} production
    on_newer: cancel_waiting                      # or queue
    # for: 30m                                    # how long it has to be live there first
    on_failure: rollback
    operators: [developer@localhost]
    requests: topic
    # freeze: [{{cron: "0 16 * * FRI", lasts: 64h, timezone: Europe/Vienna}}]
"""
_BUILD = """\
build:
  trigger: {trigger}
  start: false                                    # true: Downwind runs the trigger; false: it runs on each push"""
_NO_BUILD = """\
# build: {trigger: projects/PROJECT/locations/LOCATION/triggers/NAME}   # Cloud Build; without it images come by tag"""


def render(
    *,
    file: str,
    name: str,
    repository: str,
    image: str,
    trigger: str,
    namespace: str,
    parts: Mapping[str, str] | None = None,
) -> str:
    """`parts`: of production's bundle, part name to folder."""
    named = ", ".join(f"{part}: {path}" for part, path in (parts or {}).items())
    return _TEMPLATE.format(
        file=file,
        name=scalar(name),
        repository=scalar(repository),
        build=_BUILD.format(trigger=scalar(trigger)) if trigger else _NO_BUILD,
        image=scalar(image),
        staging=scalar(f"{namespace}-staging"),
        namespace=scalar(namespace),
        manifests=f"    manifests: {{parts: {{{named}}}}}\n" if named else "",
    )


def scalar(text: str) -> str:
    """As YAML reads it back: in quotes only where it would be something else than this text."""
    plain = text and all(char.isalnum() or char in "./:_@-" for char in text) and text[0].isalnum()
    return text if plain and text.isascii() and text[-1] != ":" and resolve(text) == text else json.dumps(text)
