package web

import (
	"strings"
	"text/template"

	"baton"
	"baton/console/govern"
)

// snippet is configuration with which a connector is started.
type snippet struct {
	Title string // the file name, or the command
	Hint  string
	Text  string
}

// snippetVars are the values that snippets are filled with.
type snippetVars struct {
	Name     string // of the product; a placeholder for any other connector
	Binary   string
	ID       string
	Secret   string
	Settings []baton.Setting
	CA       string // certificate of the console in PEM; "" if connectors trust it without
}

// Var returns the environment variable of a setting.
func (snippetVars) Var(s baton.Setting) string {
	return "BATON_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Value returns a placeholder for the value of a setting.
func (snippetVars) Value(s baton.Setting) string {
	if s.Kind == baton.BoolSetting {
		return "true"
	}
	return "<" + s.DisplayName + ">"
}

// CAIndented returns the certificate indented by four spaces, as a YAML block.
func (v snippetVars) CAIndented() string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(v.CA), "\n", "\n    ")
}

// snippets returns the ways to start a self-hosted connector with new credentials, with the names of
// its installation guide. ca is the certificate authority of the console's own certificate in PEM,
// or "".
func snippets(p govern.Product, r govern.Rotated, ca string) []snippet {
	v := snippetVars{Name: p.Name, Binary: p.Binary(), ID: r.ClientID, Secret: r.Secret.Reveal(), CA: strings.TrimSpace(ca)}
	if p.Name == govern.Generic.Name {
		v.Name, v.Binary = "NAME", "baton-NAME"
	}
	for _, s := range p.Settings {
		if !s.Advanced {
			v.Settings = append(v.Settings, s)
		}
	}
	if p.Provisions {
		v.Settings = append(v.Settings, baton.Setting{Name: "provisioning", Kind: baton.BoolSetting, Required: true})
	}
	var all []snippet
	for _, t := range snippetTemplates {
		if text := fill(t.text, v); strings.TrimSpace(text) != "" {
			all = append(all, snippet{fill(t.title, v), fill(t.hint, v), text})
		}
	}
	return all
}

func fill(t *template.Template, v snippetVars) string {
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		panic(err) // cannot happen: templates and fields are constant
	}
	return b.String()
}

type snippetTemplate struct{ title, hint, text *template.Template }

// pod is the part that the manifests of a Deployment and a StatefulSet share.
const pod = `{{define "pod"}}  selector:
    matchLabels:
      app: {{.Binary}}
  template:
    metadata:
      labels:
        app: {{.Binary}}
        baton: "true"
        baton-app: {{.Name}}
    spec:
      containers:
      - name: {{.Binary}}
        image: <registry>/{{.Binary}}:<version>
        imagePullPolicy: IfNotPresent
        env:{{end}}{{define "from"}}{{if .CA}}
        - name: SSL_CERT_FILE
          value: /etc/baton/ca/ca.pem{{end}}
        envFrom:
        - secretRef:
            name: {{.Binary}}-secrets{{end}}{{define "ca-mount"}}{{if .CA}}
        - name: ca
          mountPath: /etc/baton/ca
          readOnly: true{{end}}{{end}}{{define "ca-volume"}}{{if .CA}}
      volumes:
      - name: ca
        configMap:
          name: {{.Binary}}-ca{{end}}{{end}}`

func newSnippet(title, hint, text string) snippetTemplate {
	parse := func(s string) *template.Template {
		return template.Must(template.Must(template.New("").Parse(pod)).Parse(strings.TrimLeft(s, "\n")))
	}
	return snippetTemplate{parse(title), parse(hint), parse(text)}
}

var snippetTemplates = []snippetTemplate{
	newSnippet("baton-ca.pem", "The certificate authority of this console. Connectors trust it by the variable SSL_CERT_FILE, beside those of the system.", `{{with .CA}}{{.}}
{{end}}`),
	newSnippet("Environment", "Fill in what stands in angle brackets, then start {{.Binary}}.", `
export BATON_CLIENT_ID='{{.ID}}'
export BATON_CLIENT_SECRET='{{.Secret}}'
{{- range .Settings}}{{if and .Required (eq .Name "provisioning")}}
# Optional: include it if the console is to provision access with this connector{{end}}
{{if not .Required}}# {{end}}export {{$.Var .}}='{{$.Value .}}'{{end}}{{if .CA}}
export SSL_CERT_FILE="$PWD/baton-ca.pem"{{end}}
`),
	newSnippet("{{.Binary}}-secrets.yaml", "Kubernetes: kubectl apply -f {{.Binary}}-secrets.yaml", `
# {{.Binary}}-secrets.yaml
apiVersion: v1
kind: Secret
metadata:
  name: {{.Binary}}-secrets
type: Opaque
stringData:
  BATON_CLIENT_ID: "{{.ID}}"
  BATON_CLIENT_SECRET: "{{.Secret}}"
{{- range .Settings}}{{if and .Required (eq .Name "provisioning")}}
  # Optional: include it if the console is to provision access with this connector{{end}}
  {{if not .Required}}# {{end}}{{$.Var .}}: "{{$.Value .}}"{{end}}{{if .CA}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{.Binary}}-ca
data:
  ca.pem: |
{{.CAIndented}}{{end}}
`),
	newSnippet("{{.Binary}}.yaml", "Kubernetes: kubectl apply -f {{.Binary}}.yaml. The folder deploy/ of the project has it with probes and limits.", `
# {{.Binary}}.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{.Binary}}
  labels:
    app: {{.Binary}}
spec:
  replicas: 1
{{template "pod" .}}
        - name: BATON_HOST_ID
          value: {{.Binary}}{{template "from" .}}{{if .CA}}
        volumeMounts:{{template "ca-mount" .}}{{template "ca-volume" .}}{{end}}
`),
	newSnippet("{{.Binary}}-statefulset.yaml", "Kubernetes, instead of the Deployment: with a volume, a new pod goes on with an interrupted sync and knows what was uploaded last.", `
# {{.Binary}}-statefulset.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{.Binary}}
  labels:
    app: {{.Binary}}
spec:
  replicas: 1
  serviceName: {{.Binary}}
{{template "pod" .}}
        - name: BATON_HOST_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: BATON_C1Z_TEMP_DIR
          value: /data{{template "from" .}}
        volumeMounts:
        - name: data
          mountPath: /data{{template "ca-mount" .}}
      securityContext:
        fsGroup: 65532{{template "ca-volume" .}}
  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      resources:
        requests:
          storage: 4Gi
`),
	newSnippet("docker run", "The environment of the first snippet must be set.", `
docker run --rm \
  -e BATON_CLIENT_ID -e BATON_CLIENT_SECRET \
{{- range .Settings}}{{if .Required}}
  -e {{$.Var .}} \{{end}}{{end}}{{if .CA}}
  -v "$PWD/baton-ca.pem:/etc/baton/ca.pem:ro" -e SSL_CERT_FILE=/etc/baton/ca.pem \{{end}}
  <registry>/{{.Binary}}:<version>
`),
	newSnippet("/etc/baton/{{.Name}}.env", "For systemd, readable by root only.", `
BATON_CLIENT_ID={{.ID}}
BATON_CLIENT_SECRET={{.Secret}}
{{- range .Settings}}
{{if not .Required}}# {{end}}{{$.Var .}}={{$.Value .}}{{end}}{{if .CA}}
SSL_CERT_FILE=/etc/baton/ca.pem{{end}}
`),
	newSnippet("/etc/systemd/system/{{.Binary}}.service", "systemctl enable --now {{.Binary}}. The folder deploy/ of the project has a stricter unit.", `
# /etc/systemd/system/{{.Binary}}.service
[Unit]
Description=Baton connector {{.Binary}}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=/usr/local/bin/{{.Binary}}
EnvironmentFile=/etc/baton/{{.Name}}.env
Environment=BATON_C1Z_TEMP_DIR=/var/lib/{{.Binary}}
StateDirectory={{.Binary}}
DynamicUser=yes
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
`),
}
