-- Run once, as the administrator, by the image's own start script, on an empty volume.
\set ON_ERROR_STOP on
\set password `cat /etc/spinnaker/password`
create role spinnaker login password :'password';
{{- range $service, $name := .Values.postgresql.databases }}
create database {{ $name }} owner spinnaker;
revoke connect on database {{ $name }} from public;
{{- end }}
