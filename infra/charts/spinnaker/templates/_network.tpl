{{/* A list of CIDRs as peers. */}}
{{- define "spinnaker.blocks" -}}
{{- range . }}
- ipBlock: {cidr: {{ . }}}
{{- end }}
{{- end -}}

{{/* The way to a store, in the chart or outside. (list . "redis" 6379 $.Values.redis) */}}
{{- define "spinnaker.storeEgress" -}}
{{- $store := index . 3 -}}
{{- if eq $store.mode "internal" }}
- ports: [{port: {{ index . 2 }}, protocol: TCP}]
  to: [{podSelector: {matchLabels: {{ include "spinnaker.selector" (list (index . 0) (index . 1)) | fromYaml | toJson }}}}]
{{- else }}
- ports: [{port: {{ $store.external.port }}, protocol: TCP}]
  to: {{- include "spinnaker.blocks" $store.external.cidrs | nindent 4 }}
{{- end }}
{{- end -}}
