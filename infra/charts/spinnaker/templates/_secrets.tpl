{{/* A password that is generated once: what is in the cluster stays, so an upgrade changes none. (list . "gate" "password") */}}
{{- define "spinnaker.kept" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (include "spinnaker.host" (list $root (index . 1))) -}}
{{- if and $found $found.data (hasKey $found.data (index . 2)) -}}
{{- index $found.data (index . 2) | b64dec -}}
{{- else -}}
{{- randAlphaNum 40 -}}
{{- end -}}
{{- end -}}

{{/* The files under /opt/spinnaker/secrets of one component: sources of a projected volume. (list . $component) */}}
{{- define "spinnaker.secretSources" -}}
{{- $root := index . 0 -}}
{{- $v := $root.Values -}}
{{- $sources := list -}}
{{- range (index . 1).secrets -}}
{{- if eq . "redis" -}}
{{- $sources = append $sources (dict "name" (ternary (include "spinnaker.host" (list $root "redis")) $v.redis.external.secret (eq $v.redis.mode "internal")) "items" (list (dict "key" (ternary "connection" $v.redis.external.key (eq $v.redis.mode "internal")) "path" "redis-connection"))) -}}
{{- else if eq . "postgresql" -}}
{{- $sources = append $sources (dict "name" (ternary (include "spinnaker.host" (list $root "postgresql")) $v.postgresql.external.secret (eq $v.postgresql.mode "internal")) "items" (list (dict "key" (ternary "password" $v.postgresql.external.key (eq $v.postgresql.mode "internal")) "path" "sql-password"))) -}}
{{- else if and (eq . "downwind") $v.downwind.receiveUrl -}}
{{- $sources = append $sources (dict "name" $v.downwind.tokenSecret "items" (list (dict "key" $v.downwind.tokenKey "path" "downwind-token"))) -}}
{{- else if eq . "gate" -}}
{{- with $v.gate.authentication -}}
{{- if eq .mode "basic" -}}
{{- $sources = append $sources (dict "name" (.basic.secret | default (include "spinnaker.host" (list $root "gate"))) "items" (list (dict "key" (ternary .basic.key "password" (ne .basic.secret "")) "path" "gate-password"))) -}}
{{- else if eq .mode "oauth2" -}}
{{- $sources = append $sources (dict "name" .oauth2.secret "items" (list (dict "key" .oauth2.clientIdKey "path" "oauth2-client-id") (dict "key" .oauth2.clientSecretKey "path" "oauth2-client-secret"))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "sources" $sources) -}}
{{- end -}}
