{{- /* The name of everything: the connector's, and the release's if that is another. */ -}}
{{- define "baton.name" -}}
{{- $own := printf "baton-%s" .Values.connector -}}
{{- if or (eq .Release.Name $own) (eq .Release.Name .Values.connector) -}}
{{ $own }}
{{- else -}}
{{ printf "%s-%s" (.Release.Name | trunc 40 | trimSuffix "-") $own }}
{{- end -}}
{{- end }}

{{- define "baton.selector" -}}
app: {{ include "baton.name" . }}
{{- end }}

{{- define "baton.labels" -}}
{{ include "baton.selector" . }}
app.kubernetes.io/name: baton-{{ .Values.connector }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "baton.secret" -}}
{{ .Values.existingSecret | default (printf "baton-%s-secrets" .Values.connector) }}
{{- end }}

{{- define "baton.image" -}}
{{- if not .Values.image.registry -}}
{{- fail "image.registry is not set. Push the images to a registry of yours and name it, with its host: --set image.registry=registry.example/team" -}}
{{- end -}}
{{ .Values.image.registry }}/{{ .Values.image.name | default (printf "baton-%s" .Values.connector) }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}
