{{/* What the schema cannot say. Every refusal names the value and what to do. */}}
{{- define "spinnaker.check" -}}
{{- $v := .Values -}}
{{- if gt (len .Release.Name) 40 -}}
{{- fail "the release's name has more than 40 characters: the names made of it would be too long for Kubernetes" -}}
{{- end -}}
{{- if hasPrefix "2026.1." $v.version -}}
{{- if semverCompare "<2026.1.3" $v.version -}}
{{- fail (printf "version %s is below 2026.1.3: it lets anybody in; take 2026.1.3 or later" $v.version) -}}
{{- end -}}
{{- else if semverCompare "<2026.2.4" $v.version -}}
{{- fail (printf "version %s is below 2026.2.4: it lets anybody in; take 2026.2.4 or later" $v.version) -}}
{{- end -}}
{{- $components := include "spinnaker.components" . | fromYaml -}}
{{- range list "gate" "orca" "clouddriver" "front50" "echo" -}}
{{- if not (hasKey $components .) -}}
{{- fail (printf "components.%s.replicas is 0: nothing works without it; only igor, rosco and echo-scheduler may be left out" .) -}}
{{- end -}}
{{- end -}}
{{- if gt (int (dig "echo-scheduler" "replicas" 0 $components)) 1 -}}
{{- fail "components.echo-scheduler.replicas: two would start every pipeline with a cron trigger twice; set it to 1" -}}
{{- end -}}
{{- if and (not (hasKey $components "echo-scheduler")) (gt (int $components.echo.replicas) 1) -}}
{{- fail "components.echo.replicas: more than one needs components.echo-scheduler.replicas: 1, or cron triggers would start twice" -}}
{{- end -}}
{{- if and (eq $v.size "standard") (eq $v.postgresql.mode "internal") -}}
{{- fail "postgresql.mode internal is for a trial: one pod, no backup. For size standard set it to external, as Cloud SQL" -}}
{{- end -}}
{{- if and (eq $v.size "standard") (eq $v.redis.mode "internal") -}}
{{- fail "redis.mode internal is for a trial: one pod. For size standard set it to external, as Memorystore" -}}
{{- end -}}
{{- if eq $v.postgresql.mode "external" -}}
{{- if not (and $v.postgresql.external.host $v.postgresql.external.secret) -}}
{{- fail "postgresql.mode external needs postgresql.external.host and .secret (the name of a secret with the password)" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.postgresql.external.cidrs) -}}
{{- fail "postgresql.external.cidrs is empty: the network policies would cut the database off; name its addresses" -}}
{{- end -}}
{{- end -}}
{{- if eq $v.redis.mode "external" -}}
{{- if not $v.redis.external.secret -}}
{{- fail "redis.mode external needs redis.external.secret: the name of a secret with the whole address, redis[s]://:password@host:port" -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $v.redis.external.cidrs) -}}
{{- fail "redis.external.cidrs is empty: the network policies would cut Redis off; name its addresses" -}}
{{- end -}}
{{- end -}}
{{- with $v.gate.authentication -}}
{{- if and (eq .mode "oauth2") (not .oauth2.secret) -}}
{{- fail "gate.authentication.mode oauth2 needs gate.authentication.oauth2.secret: the name of a secret with client id and client secret" -}}
{{- end -}}
{{- if and (eq .mode "iap") (not .iap.audience) -}}
{{- fail "gate.authentication.mode iap needs gate.authentication.iap.audience" -}}
{{- end -}}
{{- end -}}
{{- if and $v.gate.apiTokens (hasPrefix "2026.1." $v.version) -}}
{{- fail "gate.apiTokens needs version 2026.2 or later" -}}
{{- end -}}
{{- with $v.gate.internalLoadBalancer -}}
{{- if and .enabled (not .sourceRanges) -}}
{{- fail "gate.internalLoadBalancer.sourceRanges is empty: name the private ranges that may reach Gate" -}}
{{- end -}}
{{- end -}}
{{- if and $v.downwind.receiveUrl (not $v.downwind.tokenSecret) -}}
{{- fail "downwind.receiveUrl needs downwind.tokenSecret: the name of a secret with the bearer token that `receive` checks" -}}
{{- end -}}
{{- if and $v.clouddriver.allNamespaces $v.clouddriver.namespaces -}}
{{- fail "clouddriver.allNamespaces and clouddriver.namespaces exclude each other" -}}
{{- end -}}
{{- if not (or $v.clouddriver.allNamespaces $v.clouddriver.namespaces $v.clouddriver.kubeconfigs) -}}
{{- fail "clouddriver.namespaces is empty: name the namespaces that Spinnaker may deploy to (or clouddriver.kubeconfigs, or clouddriver.allNamespaces: true)" -}}
{{- end -}}
{{- if and $v.google.artifactRegistry.enabled (not (and $v.google.artifactRegistry.address $v.google.artifactRegistry.repositories)) -}}
{{- fail "google.artifactRegistry.enabled needs its address and repositories" -}}
{{- end -}}
{{- with $v.metrics.prometheus -}}
{{- if and .enabled (not (and $v.metrics.enabled .version .repository)) -}}
{{- fail "metrics.prometheus.enabled needs metrics.enabled, and the plugin's version and repository" -}}
{{- end -}}
{{- end -}}
{{- end -}}
