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
{{- with .Values.image.registry }}{{ . }}/{{ end -}}
baton-{{ .Values.connector }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- /* The credential of the upstream, in the Secret and as a setting. */ -}}
{{- define "baton.token" -}}
{{ if eq .Values.connector "perplexity" }}BATON_SCIM_TOKEN{{ else }}BATON_API_TOKEN{{ end }}
{{- end }}

{{- /* Keys of the Secret that are no credentials: needed, then optional. */ -}}
{{- define "baton.plain" -}}
{{ if eq .Values.connector "perplexity" }}BATON_CLIENT_ID BATON_SCIM_URL{{ else }}BATON_CLIENT_ID BATON_ORGANIZATION_ID{{ end }}
{{- end }}
{{- define "baton.optional" -}}
{{ if eq .Values.connector "perplexity" }}BATON_ADMIN_GROUP BATON_MEMBER_GROUP BATON_ROLE_PRIORITY{{ else }}BATON_LIMITED_COURSES BATON_REGION{{ end }}
{{- end }}
