"""One application, shop, as its catalog, its manifests and its pipelines describe it."""

from typing import Any

from downwind.reconcile import names

REPOSITORY = "https://github.com/acme/shop.git"
IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"
TRIGGER = "projects/acme/locations/us-central1/triggers/shop"
SOURCES = {
    "push": "repo-pushes",
    "build": "cloud-builds",
    "image": "gcr",
    "request": "rollout-requests",
    "execution": "executions",
}
CATALOG = f"""
apiVersion: downwind.dev/v1
kind: Application
name: shop
repository: {{address: {REPOSITORY}, also: [projects/acme/repos/shop]}}
build: {{trigger: {TRIGGER}}}
images:
  - {{name: {IMAGE}, tag: "{{commit}}"}}
manifests: {{path: "deploy/{{environment}}"}}
environments:
  - name: staging
    refs: [refs/heads/main]
    namespace: shop-staging
    pipeline: {{application: shop, name: deploy-staging}}
    requests: topic
  - name: production
    after: staging
    namespace: shop
    pipeline: {{application: shop, name: deploy-production}}
    requests: topic
"""
DEPLOYMENT = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  template:
    spec:
      containers: [{{name: shop, image: {IMAGE}}}]
"""


def digest_for(commit: str, salt: str = "") -> str:
    return "sha256:" + names.digest_of(commit, salt)


def pipeline(name: str, environment: str, *, judged: bool, application: str = "shop") -> dict[str, Any]:
    """As small as the twin needs: precondition, fence, perhaps a judgment, deploy."""
    fence = {
        "kind": "ConfigMap",
        "metadata": {"name": f"downwind.{application}.{environment}", "labels": {"downwind.dev/fence": "true"}},
    }
    stages: list[dict[str, Any]] = [
        {"refId": "1", "type": "checkPreconditions", "name": "Downwind's"},
        {"refId": "2", "type": "deployManifest", "name": "Fence", "source": "text", "manifests": [fence]},
    ]
    if judged:
        stages.append({"refId": "3", "type": "manualJudgment", "name": "Go?"})
    stages.append({"refId": "4", "type": "deployManifest", "name": "Deploy", "source": "artifact"})
    expected = {
        "id": f"manifest-{environment}",
        "matchArtifact": {"type": "gcs/object", "name": f"gs://acme-bundles/{application}/{environment}"},
    }
    return {"application": application, "name": name, "stages": stages, "expectedArtifacts": [expected]}
