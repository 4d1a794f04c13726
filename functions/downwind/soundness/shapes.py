"""Which fields Spinnaker's pipelines and stages have, and of what kind: tables, of which the check of a file is made, and its
JSON Schema.

Sources: Front50's Pipeline.java, Orca's stage contexts and Deck's stage forms of tag spinnaker-release-2026.2.3, and the
pipelines recorded in tests/contract/gate/recorded. Kubernetes only: a stage of another provider is known by its type alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

TEXT, NUMBER, FLAG, TEXTS, LIST, OBJECT, ANY = "text", "number", "flag", "texts", "list", "object", "any"
"""FLAG: true or false, also as a text: an expression may stand for it. NUMBER likewise. TEXTS: a list of texts."""

PIPELINE: Mapping[str, str] = {
    "application": TEXT,
    "name": TEXT,
    "id": TEXT,
    "index": NUMBER,
    "description": TEXT,
    "schema": TEXT,
    "type": TEXT,
    "email": TEXT,
    "tags": LIST,
    "locked": OBJECT,
    "disabled": FLAG,
    "roles": TEXTS,
    "serviceAccount": TEXT,
    "executionEngine": TEXT,
    "stageCounter": NUMBER,
    "spelEvaluator": TEXT,
    "limitConcurrent": FLAG,
    "maxConcurrentExecutions": NUMBER,
    "keepWaitingPipelines": FLAG,
    "respectQuietPeriod": FLAG,
    "manualStartAlert": OBJECT,
    "triggers": LIST,
    "parameterConfig": LIST,
    "notifications": LIST,
    "expectedArtifacts": LIST,
    "appConfig": OBJECT,
    "config": OBJECT,
    "constraints": OBJECT,
    "payloadConstraints": OBJECT,
    "source": OBJECT,
    "template": OBJECT,
    "variables": OBJECT,
    "exclude": TEXTS,
    "stages": LIST,
}
OF_THE_SERVER = ("updateTs", "createTs", "lastModified", "lastModifiedBy")
"""What Front50 writes itself; no file holds them."""
EXPECTED_ARTIFACT: Mapping[str, str] = {
    "id": TEXT,
    "displayName": TEXT,
    "matchArtifact": OBJECT,
    "defaultArtifact": OBJECT,
    "boundArtifact": OBJECT,
    "usePriorArtifact": FLAG,
    "useDefaultArtifact": FLAG,
}
PARAMETER: Mapping[str, str] = {
    "name": TEXT,
    "label": TEXT,
    "description": TEXT,
    "required": FLAG,
    "pinned": FLAG,
    "default": ANY,
    "constraint": TEXT,
    "hasOptions": FLAG,
    "options": LIST,
}
COMMON: Mapping[str, str] = {
    "type": TEXT,
    "name": TEXT,
    "refId": TEXT,
    "requisiteStageRefIds": TEXTS,
    "alias": TEXT,
    "comments": TEXT,
    "group": TEXT,
    "failPipeline": FLAG,
    "continuePipeline": FLAG,
    "completeOtherBranchesThenFail": FLAG,
    "failOnFailedExpressions": FLAG,
    "stageEnabled": OBJECT,
    "stageTimeoutMs": NUMBER,
    "overrideTimeout": FLAG,
    "restrictExecutionDuringTimeWindow": FLAG,
    "restrictedExecutionWindow": OBJECT,
    "skipWindowText": TEXT,
    "sendNotifications": FLAG,
    "notifications": LIST,
    "expectedArtifacts": LIST,
    "isNew": FLAG,
    "noOutput": FLAG,
}
_MANIFEST = {"account": TEXT, "cloudProvider": TEXT, "app": TEXT, "location": TEXT}
_TARGET = {
    **_MANIFEST,
    "manifestName": TEXT,
    "mode": TEXT,
    "kind": TEXT,
    "kinds": TEXTS,
    "cluster": TEXT,
    "criteria": TEXT,
    "labelSelectors": OBJECT,
}
_SOURCE = {
    "source": TEXT,
    "manifestArtifactId": TEXT,
    "manifestArtifact": OBJECT,
    "manifestArtifactAccount": TEXT,
    "requiredArtifactIds": TEXTS,
    "requiredArtifacts": LIST,
    "skipExpressionEvaluation": FLAG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`fields` beside the common ones; `needed`: without them Orca or Clouddriver fails. `others`: fields that are not in the
    table are let pass, since this stage is not of Kubernetes or takes what it wants."""

    fields: Mapping[str, str] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    others: bool = False


_TARGETED = Stage(fields=_TARGET, needed=("account", "cloudProvider", "location"))
_OTHER = Stage(others=True)

STAGES: Mapping[str, Stage] = {
    "checkPreconditions": Stage(fields={"preconditions": LIST}, needed=("preconditions",)),
    "deployManifest": Stage(
        fields={
            **_SOURCE,
            "account": TEXT,
            "cloudProvider": TEXT,
            "moniker": OBJECT,
            "manifests": LIST,
            "manifest": OBJECT,
            "namespaceOverride": TEXT,
            "overrideNamespace": FLAG,
            "enableArtifactBinding": FLAG,
            "versioned": FLAG,
            "labelSelectors": OBJECT,
            "allowNothingSelected": FLAG,
            "trafficManagement": OBJECT,
            "relationships": OBJECT,
        },
        needed=("account", "cloudProvider", "moniker"),
    ),
    "runJobManifest": Stage(
        fields={
            **_SOURCE,
            **_MANIFEST,
            "credentials": TEXT,
            "application": TEXT,
            "manifest": OBJECT,
            "moniker": OBJECT,
            "consumeArtifactSource": TEXT,
            "consumeArtifactId": TEXT,
            "consumeArtifactAccount": TEXT,
            "consumeArtifact": OBJECT,
            "propertyFile": TEXT,
            "waitForCompletion": FLAG,
        },
        needed=("account", "cloudProvider", "alias"),
    ),
    "manualJudgment": Stage(
        fields={
            "instructions": TEXT,
            "judgmentInputs": LIST,
            "selectedStageRoles": TEXTS,
            "requiredJudgmentRoles": TEXTS,
            "propagateAuthenticationContext": FLAG,
        }
    ),
    "wait": Stage(fields={"waitTime": NUMBER, "skipWaitText": TEXT, "skipRemainingWait": FLAG}, needed=("waitTime",)),
    "evaluateVariables": Stage(fields={"variables": LIST}, needed=("variables",)),
    "evaluateArtifacts": Stage(fields={"artifactContents": LIST}),
    "kayentaCanary": Stage(
        fields={"analysisType": TEXT, "canaryConfig": OBJECT, "deployments": OBJECT}, needed=("canaryConfig",)
    ),
    "findArtifactsFromResource": _TARGETED,
    "scaleManifest": Stage(
        fields={**_TARGET, "replicas": NUMBER}, needed=("account", "cloudProvider", "location", "replicas")
    ),
    "deleteManifest": Stage(fields={**_TARGET, "options": OBJECT}, needed=("account", "cloudProvider", "location")),
    "patchManifest": Stage(
        fields={**_TARGET, **_SOURCE, "patchBody": ANY, "options": OBJECT},
        needed=("account", "cloudProvider", "location"),
    ),
    "enableManifest": _TARGETED,
    "disableManifest": _TARGETED,
    "pauseRolloutManifest": _TARGETED,
    "resumeRolloutManifest": _TARGETED,
    "rollingRestartManifest": _TARGETED,
    "undoRolloutManifest": Stage(
        fields={**_TARGET, "numRevisionsBack": NUMBER, "revision": NUMBER},
        needed=("account", "cloudProvider", "location"),
    ),
    "bakeManifest": _OTHER,
    "pipeline": Stage(
        fields={
            "application": TEXT,
            "pipeline": TEXT,
            "pipelineParameters": OBJECT,
            "pipelineId": TEXT,
            "waitForCompletion": FLAG,
        },
        needed=("application", "pipeline"),
    ),
    "webhook": _OTHER,
    "runJob": _OTHER,
    "script": _OTHER,
    "jenkins": _OTHER,
    "travis": _OTHER,
    "concourse": _OTHER,
    "wercker": _OTHER,
    "googleCloudBuild": _OTHER,
    "awsCodeBuild": _OTHER,
    "gremlin": _OTHER,
    "findArtifactFromExecution": _OTHER,
    "findImage": _OTHER,
    "findImageFromTags": _OTHER,
    "savePipelinesFromArtifact": _OTHER,
    "waitForCondition": _OTHER,
    "waitUntil": _OTHER,
    "dependsOnExecution": _OTHER,
    "runMultiplePipelines": _OTHER,
    "bake": _OTHER,
    "deploy": _OTHER,
    "deployCloudrunManifest": _OTHER,
}
"""By the name that a stored pipeline has. Plugins bring their own; who uses one names it to the check."""
