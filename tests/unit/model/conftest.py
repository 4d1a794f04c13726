"""One catalog document with every field."""

import pytest

WHOLE = """
apiVersion: downwind.dev/v1
kind: Application
name: shop
repository:
  address: https://github.com/acme/shop.git
  also: [projects/acme/repos/github_acme_shop]
  credentials: git-shop
paths: [services/shop/**]
build: {trigger: projects/acme/locations/us-central1/triggers/shop, start: true}
images:
  - {name: "us-central1-docker.pkg.dev/acme/apps/shop", tag: "v-{short_commit}"}
  - {name: "localhost:5000/sidecar"}
manifests: {path: "deploy/{environment}"}
environments:
  - name: staging
    refs: [refs/heads/main, refs/tags/v*]
    namespace: shop-staging
    pipeline: {application: shop, name: deploy-staging}
    on_failure: hold
  - name: production
    after: staging
    namespace: shop
    promotion: request
    on_newer: queue
    on_failure: rollback
    requests: topic
    operators: [sre@acme.example]
    freeze: [{cron: "0 16 * * FRI", lasts: 64h, timezone: Europe/Vienna}, {cron: "0 0 24 12 *", lasts: 3d}]
    manifests:
      parts: {canary: deploy/canary, full: "deploy/{environment}"}
      repository: {address: http://localhost:8080/acme/manifests.git}
      ref: refs/heads/main
    pipeline: {application: shop, name: deploy-production, account: gke-production, artifact_account: bundles}
"""


@pytest.fixture(scope="session")
def catalog_text() -> str:
    return WHOLE
