{{- /* The name of everything: the console's, and the release's if that is another. */ -}}
{{- define "console.name" -}}
{{- if or (eq .Release.Name "baton-console") (eq .Release.Name "console") -}}
baton-console
{{- else -}}
{{ printf "%s-baton-console" (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end -}}
{{- end }}

{{- define "console.selector" -}}
app: {{ include "console.name" . }}
{{- end }}

{{- define "console.labels" -}}
{{ include "console.selector" . }}
app.kubernetes.io/name: baton-console
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "console.kind" -}}
{{ if eq .Values.database "postgres" }}Deployment{{ else }}StatefulSet{{ end }}
{{- end }}

{{- /* Scheme of the port, which is also its name in lower case. */ -}}
{{- define "console.scheme" -}}
{{ if .Values.tls.secret }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- define "console.image" -}}
{{- if not .Values.image.registry -}}
{{- fail "image.registry is not set. Push the images to a registry of yours and name it, with its host: --set image.registry=registry.example/team" -}}
{{- end -}}
{{ .Values.image.registry }}/{{ .Values.image.name | default "baton-console" }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}
