{{/* The name of a component's objects, and its host: one DNS label in the release's namespace. (list . "gate") */}}
{{- define "spinnaker.host" -}}
{{- printf "%s-%s" (index . 0).Release.Name (index . 1) -}}
{{- end -}}

{{/* (list . "gate") */}}
{{- define "spinnaker.selector" -}}
app.kubernetes.io/name: spinnaker
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "spinnaker.labels" -}}
{{- $root := index . 0 -}}
{{ include "spinnaker.selector" . }}
app.kubernetes.io/part-of: spinnaker
app.kubernetes.io/version: {{ $root.Values.version | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* repository@digest, from the mirror if there is one: the mirror takes the place of the registry's host. (list . "gate") */}}
{{- define "spinnaker.image" -}}
{{- $images := (index . 0).Values.images -}}
{{- $image := index $images (index . 1) -}}
{{- if not $image.digest -}}
{{- fail (printf "images.%s.digest is empty: run scripts/spinnaker-images %s, and give helm the file that it writes; a tag is no way out, since it can be moved" (index . 1) (index . 0).Values.version) -}}
{{- end -}}
{{- $repository := $image.repository -}}
{{- if $images.mirror -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" $images.mirror) (regexReplaceAll "^[^/]+/" $image.repository "") -}}
{{- end -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- end -}}

{{/* The components that run: files/components.yaml with the size's and the user's numbers, as YAML. */}}
{{- define "spinnaker.components" -}}
{{- $out := dict -}}
{{- range $name, $component := .Files.Get "files/components.yaml" | fromYaml -}}
{{- $own := index $.Values.components $name | default dict -}}
{{- $size := index $component $.Values.size -}}
{{- $replicas := ternary (int $own.replicas) (int $size.replicas) (hasKey $own "replicas") -}}
{{- if $replicas -}}
{{- $resources := dict "requests" (dict "cpu" $size.cpu "memory" $size.memory "ephemeral-storage" "256Mi") "limits" (dict "memory" $size.memory "ephemeral-storage" "2Gi") -}}
{{- $resources = mergeOverwrite $resources (deepCopy ($own.resources | default dict)) -}}
{{- $_ := set $out $name (mergeOverwrite (deepCopy $component) (dict "replicas" $replicas "resources" $resources "own" $own)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* One configuration file of one component, rendered. (list . "echo.yml" "echo-scheduler") */}}
{{- define "spinnaker.configFile" -}}
{{- $root := index . 0 -}}
{{- $components := include "spinnaker.components" $root | fromYaml -}}
{{- $scheduler := or (eq (index . 2) "echo-scheduler") (not (hasKey $components "echo-scheduler")) -}}
{{- $context := dict "Values" $root.Values "Release" $root.Release "Chart" $root.Chart "Files" $root.Files "Template" $root.Template "components" $components "scheduler" $scheduler -}}
{{- tpl ($root.Files.Get (printf "files/config/%s" (index . 1))) $context -}}
{{- end -}}

{{/* (list . "orca") */}}
{{- define "spinnaker.jdbc" -}}
{{- $root := index . 0 -}}
{{- $database := index $root.Values.postgresql.databases (index . 1) -}}
{{- if eq $root.Values.postgresql.mode "internal" -}}
{{- printf "jdbc:postgresql://%s:5432/%s" (include "spinnaker.host" (list $root "postgresql")) $database -}}
{{- else -}}
{{- with $root.Values.postgresql.external -}}
{{- printf "jdbc:postgresql://%s:%d/%s" .host (int .port) $database -}}{{- with .parameters }}?{{ . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "spinnaker.databaseUser" -}}
{{- ternary "spinnaker" .Values.postgresql.external.user (eq .Values.postgresql.mode "internal") -}}
{{- end -}}

{{/* What the pod security standard "restricted" asks of every container, and a root file system that is only read. */}}
{{- define "spinnaker.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* (dict "user" 10111) */}}
{{- define "spinnaker.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What every pod of the chart has in common. */}}
{{- define "spinnaker.podCommon" -}}
enableServiceLinks: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.pods.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pods.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Pods of one component apart from each other, as far as there is room. (list . "gate") */}}
{{- define "spinnaker.spread" -}}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "spinnaker.selector" $ | fromYaml | toJson }}}
{{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: {matchLabels: {{ include "spinnaker.selector" . | fromYaml | toJson }}}
{{- end -}}
