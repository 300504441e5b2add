package web

import (
	"strings"
	"text/template"

	"baton"
	"baton/console/govern"
)

// snippet is a piece of configuration with which a connector is started.
type snippet struct {
	Title string // the name of its file, or the command
	Hint  string
	Text  string
}

// snippetVars is what the snippets are filled with.
type snippetVars struct {
	Name     string // of the product; for any other, a place to fill in
	Binary   string
	ID       string
	Secret   string
	Settings []baton.Setting
}

// Var returns the environment variable of a setting.
func (snippetVars) Var(s baton.Setting) string {
	return "BATON_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// snippets returns the ways to start a self-hosted connector with new credentials, under
// the names that its installation guide uses.
func snippets(p govern.Product, r govern.Rotated) []snippet {
	v := snippetVars{Name: p.Name, Binary: p.Binary(), ID: r.ClientID, Secret: r.Secret.Reveal()}
	if p.Name == govern.Generic.Name {
		v.Name, v.Binary = "NAME", "baton-NAME"
	}
	for _, s := range p.Settings {
		if !s.Advanced {
			v.Settings = append(v.Settings, s)
		}
	}
	var all []snippet
	for _, t := range snippetTemplates {
		all = append(all, snippet{fill(t.title, v), fill(t.hint, v), fill(t.text, v)})
	}
	return all
}

func fill(t *template.Template, v snippetVars) string {
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		panic(err) // the templates are constant, and so are the fields that they use
	}
	return b.String()
}

type snippetTemplate struct{ title, hint, text *template.Template }

func newSnippet(title, hint, text string) snippetTemplate {
	parse := func(s string) *template.Template {
		return template.Must(template.New("").Parse(strings.TrimLeft(s, "\n")))
	}
	return snippetTemplate{parse(title), parse(hint), parse(text)}
}

var snippetTemplates = []snippetTemplate{
	newSnippet("Environment", "Fill in what stands in angle brackets, then start {{.Binary}}.", `
export BATON_CLIENT_ID='{{.ID}}'
export BATON_CLIENT_SECRET='{{.Secret}}'
{{- range .Settings}}
{{if not .Required}}# {{end}}export {{$.Var .}}='<{{.DisplayName}}>'{{end}}
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
{{- range .Settings}}
  {{if not .Required}}# {{end}}{{$.Var .}}: "<{{.DisplayName}}>"{{end}}
`),
	newSnippet("{{.Binary}}.yaml", "Kubernetes: kubectl apply -f {{.Binary}}.yaml. The folder deploy/ of the project has it with a volume, probes and limits.", `
# {{.Binary}}.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{.Binary}}
  labels:
    app: {{.Binary}}
spec:
  replicas: 1
  selector:
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
        env:
        - name: BATON_HOST_ID
          value: {{.Binary}}
        envFrom:
        - secretRef:
            name: {{.Binary}}-secrets
`),
	newSnippet("docker run", "The environment of the first snippet must be set.", `
docker run --rm \
  -e BATON_CLIENT_ID -e BATON_CLIENT_SECRET \
{{- range .Settings}}{{if .Required}}
  -e {{$.Var .}} \{{end}}{{end}}
  <registry>/{{.Binary}}:<version>
`),
	newSnippet("systemd", "/etc/baton/{{.Name}}.env, readable by root only; the folder deploy/ of the project has the unit.", `
BATON_CLIENT_ID={{.ID}}
BATON_CLIENT_SECRET={{.Secret}}
{{- range .Settings}}
{{if not .Required}}# {{end}}{{$.Var .}}=<{{.DisplayName}}>{{end}}
`),
}
