package deploy

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// render renders the chart of the connectors.
func render(t *testing.T, release, values string) (string, error) {
	t.Helper()
	return renderChart(t, "helm", release, values)
}

// renderChart renders a chart like helm template, with Helm's own engine. A missing value in a template is an
// error.
func renderChart(t *testing.T, dir, release, values string) (string, error) {
	t.Helper()
	chart, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := chart.Validate(); err != nil {
		t.Fatal(err)
	}
	given := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{Name: release, Namespace: "c1", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			text.WriteString("\n---\n" + files[name])
		}
	}
	return text.String(), nil
}

func rendered(t *testing.T, release, values string) *manifests {
	t.Helper()
	text, err := render(t, release, values)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decode(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

// TestChartDefaults installs each connector with no value other than the registry.
func TestChartDefaults(t *testing.T) {
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			m := rendered(t, "baton-"+name, "{connector: "+name+", image: {registry: registry.example}}")
			w := m.workload(t)
			env, _ := checkWorkload(t, p, w)
			if _, set := env["BATON_PROVISIONING"]; set || env["BATON_SETTINGS_DIR"] != "/run/secrets/baton" {
				t.Errorf("environment %v", env)
			}
			secret := slices.IndexFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "baton-"+name+"-secrets" })
			if secret < 0 || w.kind != "StatefulSet" || w.Name != "baton-"+name || *w.replicas != 1 {
				t.Errorf("%s %s, %d replicas, volumes %+v", w.kind, w.Name, *w.replicas, w.pod.Spec.Volumes)
			}
			if image := w.pod.Spec.Containers[0].Image; image != "registry.example/baton-"+name+":v0.1.0" {
				t.Errorf("image %s", image)
			}
			if len(m.secrets)+len(m.services)+len(m.monitors)+len(m.rules)+len(m.policies)+len(m.budgets) > 0 {
				t.Error("more is made than was asked for")
			}
		})
	}
}

// TestChartIsThePlainManifests compares the chart's pods with the plain ones, so that both are equally
// hardened.
func TestChartIsThePlainManifests(t *testing.T) {
	for name := range programs {
		for kind, file := range map[string]string{"Deployment": "", "StatefulSet": "-statefulset"} {
			m, err := decode(read(t, "kubernetes/baton-"+name+file+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			plain := m.workload(t)
			chart := rendered(t, "baton-"+name, "{connector: "+name+", secretsAs: env, image: {registry: registry.example}, workload: "+kind+"}").workload(t)
			want, got := plain.pod.Spec, chart.pod.Spec
			for _, c := range []struct{ got, want any }{
				{chart.kind, plain.kind}, {chart.replicas, plain.replicas}, {chart.claims, plain.claims},
				{got.SecurityContext, want.SecurityContext}, {got.Volumes, want.Volumes}, {got.TerminationGracePeriodSeconds, want.TerminationGracePeriodSeconds},
				{got.TopologySpreadConstraints, want.TopologySpreadConstraints},
				{got.Containers[0].SecurityContext, want.Containers[0].SecurityContext}, {got.Containers[0].Resources, want.Containers[0].Resources},
				{got.Containers[0].LivenessProbe, want.Containers[0].LivenessProbe}, {got.Containers[0].ReadinessProbe, want.Containers[0].ReadinessProbe},
				{got.Containers[0].StartupProbe, want.Containers[0].StartupProbe}, {got.Containers[0].EnvFrom, want.Containers[0].EnvFrom},
				{got.Containers[0].Image, want.Containers[0].Image}, {got.Containers[0].Ports, want.Containers[0].Ports},
				{got.Containers[0].VolumeMounts, want.Containers[0].VolumeMounts},
			} {
				g, err1 := yaml.Marshal(c.got)
				w, err2 := yaml.Marshal(c.want)
				if err1 != nil || err2 != nil || string(g) != string(w) {
					t.Errorf("%s %s: the chart has\n%s\nand the plain manifest\n%s", kind, name, g, w)
				}
			}
		}
	}
}

// wrong holds values that are invalid for each kind of setting.
var wrong = map[string]string{"": "perhaps", "number": "many", "list": `"never closed`, "secret": "two\nlines", "text": "\x00"}

// TestEverySettingOfTheSecret puts every setting of the program into the Secret, with an invalid value, and
// starts the program with the files and variables that its container would have. The program must complain
// about each of them; otherwise the setting did not arrive.
func TestEverySettingOfTheSecret(t *testing.T) {
	for name, p := range programs {
		for _, as := range []string{"files", "env"} {
			t.Run(name+" as "+as, func(t *testing.T) {
				w := rendered(t, "baton-"+name, "{connector: "+name+", image: {registry: registry.example}, secretsAs: "+as+"}").workload(t)
				env, _ := checkWorkload(t, p, w)
				secret := map[string]string{}
				for setting, kind := range p.settings {
					if _, set := env[setting]; !set && (as == "files" || kind != "text") { // the environment holds no NUL
						secret[setting] = wrong[kind]
					}
				}
				if len(secret) < 40 {
					t.Fatalf("only %d settings are tried", len(secret))
				}
				cmd := exec.Command(p.binary, "doctor")
				cmd.Dir = t.TempDir()
				cmd.Env = started(t, w, env, secret)
				out, _ := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); code != 3 {
					t.Errorf("it ends with %d: %s", code, out)
				}
				for setting := range secret {
					if !regexp.MustCompile(`\b` + setting + `\b`).Match(out) {
						t.Errorf("%s of the Secret does not arrive: %s", setting, out)
					}
				}
			})
		}
	}
}

// started returns the environment of the container with this Secret, and writes its mounted files into a
// folder.
func started(t *testing.T, w workload, env, secret map[string]string) (vars []string) {
	t.Helper()
	c, mounts := w.pod.Spec.Containers[0], t.TempDir()
	for name, value := range env {
		if value == c.VolumeMounts[0].MountPath || strings.HasPrefix(value, "/run/") {
			value = filepath.Join(mounts, value)
		}
		vars = append(vars, name+"="+value)
	}
	if len(c.EnvFrom) > 0 {
		for name, value := range secret {
			vars = append(vars, name+"="+value)
		}
	}
	for _, m := range c.VolumeMounts {
		dir := filepath.Join(mounts, m.MountPath)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.Secret != nil }) {
			continue
		}
		for name, value := range secret {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return vars
}

// TestImages: an image is named with its registry, which the operator must give.
func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	for image, want := range map[string]string{
		"{registry: registry.example}":                                 "registry.example/baton-percipio:v0.1.0",
		"{registry: 'localhost:5000'}":                                 "localhost:5000/baton-percipio:v0.1.0",
		"{registry: 'registry:5000/team'}":                             "registry:5000/team/baton-percipio:v0.1.0",
		"{registry: ghcr.io/acme-co/it, tag: v1.2.3-rc.1}":             "ghcr.io/acme-co/it/baton-percipio:v1.2.3-rc.1",
		"{registry: public.ecr.aws/a1b2, digest: '" + digest + "'}":    "public.ecr.aws/a1b2/baton-percipio@" + digest,
		"{registry: registry.example, name: mirror/of/baton-percipio}": "registry.example/mirror/of/baton-percipio:v0.1.0",
	} {
		c := rendered(t, "x", "{connector: percipio, image: "+image+"}").workload(t).pod.Spec.Containers[0]
		if c.Image != want {
			t.Errorf("%s gives %s, want %s", image, c.Image, want)
		}
		checkImage(t, image, "percipio", c.Image)
	}
	for _, image := range []string{"", ", image: {registry: ''}", ", image: {digest: '" + digest + "'}"} {
		if _, err := render(t, "x", "{connector: percipio"+image+"}"); err == nil || !strings.Contains(err.Error(), "image.registry is not set") {
			t.Errorf("without a registry (%s): %v", image, err)
		}
	}
	for _, registry := range []string{"team", "library/team", "Docker.io", "https://registry.example", "registry.example/", "registry.example//team", "registry.example/team:v1"} {
		if text, err := render(t, "x", "{connector: percipio, image: {registry: '"+registry+"'}}"); err == nil {
			t.Errorf("the registry %s is accepted:\n%s", registry, text)
		}
	}
}

// TestProvisioningValue: an unset value leaves provisioning to the Secret, and false reaches the connector.
func TestProvisioningValue(t *testing.T) {
	for value, want := range map[string]string{"null": "", "true": "true", "false": "false"} {
		w := rendered(t, "x", "{connector: perplexity, image: {registry: registry.example}, provisioning: "+value+"}").workload(t)
		if env, _ := checkWorkload(t, programs["perplexity"], w); env["BATON_PROVISIONING"] != want {
			t.Errorf("provisioning: %s gives %q", value, env["BATON_PROVISIONING"])
		}
	}
}

const everything = `
connector: perplexity
image:
  registry: registry.example:5000/team
  digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  pullPolicy: Always
imagePullSecrets: [{name: pull}]
secret:
  create: true
  data: {BATON_CLIENT_ID: id, BATON_CLIENT_SECRET: "s: #1", BATON_SCIM_TOKEN: "0123", BATON_SCIM_URL: "https://scim.example/v2"}
provisioning: true
settings: {log-level: debug, min-admins: 3, allow-empty: true, admin-group: "Admins, all"}
extraEnv: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "https://otel.example:4318"}]
replicas: 3
healthPort: 9091
shutdownGraceSeconds: 300
extraCA: {configMap: corporate, key: root.pem}
proxy: {https: "http://proxy.example:3128", noProxy: .internal}
state: {size: 10Gi, storageClass: fast}
resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 1Gi}}
networkPolicy: {enabled: true, extraEgress: [{ports: [{protocol: TCP, port: 3128}]}]}
serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}, staleAfterHours: 6, failedTasks: 1}
podAnnotations: {team: identity}
podLabels: {cost-center: "17"}
nodeSelector: {kubernetes.io/arch: arm64}
tolerations: [{key: dedicated, operator: Exists}]
priorityClassName: high
`

// TestValuesReachThePod sets every value and looks for it in the pod.
func TestValuesReachThePod(t *testing.T) {
	m := rendered(t, "acme", everything)
	d := m.workload(t)
	env, _ := checkWorkload(t, programs["perplexity"], d)
	for name, want := range map[string]string{
		"BATON_LOG_LEVEL": "debug", "BATON_MIN_ADMINS": "3", "BATON_ALLOW_EMPTY": "true", "BATON_PROVISIONING": "true", "BATON_ADMIN_GROUP": "Admins, all",
		"BATON_CA_FILE": "/etc/baton/ca/root.pem", "HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".internal",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example:4318", "BATON_HEALTH_CHECK_PORT": "9091", "BATON_SHUTDOWN_GRACE_SECONDS": "300",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	s, c := d.pod.Spec, d.pod.Spec.Containers[0]
	for what, ok := range map[string]bool{
		"image":         c.Image == "registry.example:5000/team/baton-perplexity@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"pullPolicy":    c.ImagePullPolicy == "Always",
		"pull secrets":  len(s.ImagePullSecrets) == 1 && s.ImagePullSecrets[0].Name == "pull",
		"replicas":      *d.replicas == 3,
		"state":         d.claims[0].Spec.Resources.Requests.Storage().String() == "10Gi" && *d.claims[0].Spec.StorageClassName == "fast",
		"spread":        len(s.TopologySpreadConstraints) == 1,
		"budget":        len(m.budgets) == 1,
		"cpu":           c.Resources.Requests.Cpu().String() == "50m" && c.Resources.Limits.Cpu().IsZero(),
		"memory":        c.Resources.Requests.Memory().String() == "64Mi" && c.Resources.Limits.Memory().String() == "1Gi",
		"annotations":   d.pod.Annotations["team"] == "identity" && d.pod.Annotations["baton/secret"] != "",
		"labels":        d.pod.Labels["cost-center"] == "17",
		"node selector": s.NodeSelector["kubernetes.io/arch"] == "arm64",
		"tolerations":   len(s.Tolerations) == 1 && s.Tolerations[0].Key == "dedicated",
		"priority":      s.PriorityClassName == "high",
		"grace":         *s.TerminationGracePeriodSeconds == 310,
		"ca":            slices.ContainsFunc(c.VolumeMounts, func(v corev1.VolumeMount) bool { return v.MountPath == "/etc/baton/ca" }),
		"name":          d.Name == "acme-baton-perplexity",
		"secret":        m.secrets[0].StringData["BATON_CLIENT_SECRET"] == "s: #1" && m.secrets[0].StringData["BATON_SCIM_TOKEN"] == "0123",
		"policy":        len(m.policies[0].Spec.Egress) == 3 && m.policies[0].Spec.Egress[2].Ports[0].Port.IntValue() == 3128,
		"monitor":       m.monitors[0].Labels["release"] == "prometheus" && m.monitors[0].Spec.Endpoints[0].Interval == "15s",
		"rule":          m.rules[0].Labels["release"] == "prometheus",
	} {
		if !ok {
			t.Errorf("%s did not arrive", what)
		}
	}
	if port := m.services[0].Spec.Ports[0]; port.Name != m.monitors[0].Spec.Endpoints[0].Port || port.TargetPort.String() != "health" ||
		m.services[0].Spec.Selector["app"] != d.pod.Labels["app"] || m.monitors[0].Spec.Selector.MatchLabels["app"] != m.services[0].Labels["app"] {
		t.Errorf("the monitor does not find the pods: %+v", m.services[0])
	}
	checkBudget(t, m, d)
	checkRules(t, m.rules[0], m.services[0].Name)
}

var (
	metricName = regexp.MustCompile(`\bbaton_[a-z_]+\b`)
	family     = regexp.MustCompile(`\{"(baton_[a-z_]+)", "`)
	counted    = regexp.MustCompile(`\.(?:count|set)\("(baton_[a-z_]+)", [^"\n]+?((?:, "[a-z_]+", [^"\n]+)*)\)\n`)
	labelName  = regexp.MustCompile(`"([a-z_]+)"`)
	asked      = regexp.MustCompile(`(?:\{|,)\s*([a-z_]+)\s*(?:=~|!=|=)|by \(([a-z_]+)\)`)
)

// measured returns the metrics of the service with their labels, from its source code.
func measured(t *testing.T) map[string][]string {
	t.Helper()
	sources, err := filepath.Glob("../agent/service/*.go")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string][]string{}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source := read(t, name)
		for _, f := range family.FindAllStringSubmatch(source, -1) {
			m[f[1]] = append(m[f[1]], "job", "namespace")
		}
		for _, c := range counted.FindAllStringSubmatch(source, -1) {
			for _, l := range labelName.FindAllStringSubmatch(c[2], -1) {
				m[c[1]] = append(m[c[1]], l[1])
			}
		}
	}
	if !slices.Contains(m["baton_tasks_total"], "code") {
		t.Fatalf("the service's sources cannot be read: %v", m)
	}
	return m
}

// checkRules compares the alerts with the metrics of the service.
func checkRules(t *testing.T, r prometheusRule, job string) {
	t.Helper()
	known := measured(t)
	var alerts []string
	for _, rule := range r.Spec.Groups[0].Rules {
		alerts = append(alerts, rule.Alert)
		names := metricName.FindAllString(strings.ReplaceAll(rule.Expr, job, ""), -1)
		if len(names) == 0 || !strings.Contains(rule.Expr, `job="`+job+`"`) || !strings.Contains(rule.Expr, `namespace="c1"`) {
			t.Errorf("%s is about nothing of this release: %s", rule.Alert, rule.Expr)
		}
		var labels []string
		for _, n := range names {
			if known[n] == nil {
				t.Errorf("%s: the service does not measure %s", rule.Alert, n)
			}
			labels = append(labels, known[n]...)
		}
		for _, l := range asked.FindAllStringSubmatch(rule.Expr, -1) {
			if name := l[1] + l[2]; !slices.Contains(labels, name) {
				t.Errorf("%s: %v have no label %s, but %v", rule.Alert, names, name, labels)
			}
		}
		if strings.Count(rule.Expr, "(") != strings.Count(rule.Expr, ")") || strings.Count(rule.Expr, "{") != strings.Count(rule.Expr, "}") {
			t.Errorf("%s: %s", rule.Alert, rule.Expr)
		}
		if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
			t.Errorf("%s says nothing", rule.Alert)
		}
	}
	for _, want := range []string{"BatonSyncStale", "BatonCredentialRefused", "BatonSyncHeld", "BatonStateTemporary", "BatonTasksFailing"} {
		if !slices.Contains(alerts, want) {
			t.Errorf("there is no alert %s", want)
		}
	}
}

// TestOpenShift leaves the choice of users to the platform.
func TestOpenShift(t *testing.T) {
	d := rendered(t, "percipio", "{connector: percipio, image: {registry: registry.example}, runAsUser: null, fsGroup: null}").workload(t)
	if c := d.pod.Spec.SecurityContext; c.RunAsUser != nil || c.RunAsGroup != nil || c.FSGroup != nil || !*c.RunAsNonRoot {
		t.Errorf("%+v", c)
	}
	checkWorkload(t, programs["percipio"], d)
	if d.Name != "baton-percipio" {
		t.Error(d.Name)
	}
}

// TestBadValues: invalid values fail before anything is applied.
func TestBadValues(t *testing.T) {
	for _, values := range []string{
		"{image: {tag: v1}}",
		"{connector: slack}",
		"{connector: percipio, replica: 3}",
		"{connector: percipio, workload: DaemonSet}",
		"{connector: percipio, provisioning: 'no'}",
		"{connector: percipio, state: {sizeLimit: 4Gi}}",
		"{connector: percipio, replicas: many}",
		"{connector: percipio, image: {tag: latest}}",
		"{connector: percipio, image: {digest: 'sha256:123'}}",
		"{connector: percipio, image: {repository: x}}",
		"{connector: percipio, secretsAs: vault}",
		"{connector: percipio, secret: {create: true}}",
		"{connector: percipio, secret: {create: true, data: {client-id: x}}}",
		"{connector: percipio, existingSecret: mine, secret: {create: true, data: {BATON_CLIENT_ID: x, BATON_CLIENT_SECRET: y}}}",
		"{connector: percipio, settings: {api-token: sesame}}",
		"{connector: percipio, settings: {BATON_LOG_LEVEL: debug}}",
		"{connector: percipio, settings: {log-level: [debug]}}",
		"{connector: percipio, healthPort: 80}",
		"{connector: percipio, shutdownGraceSeconds: 0}",
		"{connector: percipio, runAsUser: 0}",
		"{connector: percipio, proxy: {https: 'proxy.example:3128'}}",
		"{connector: percipio, state: {size: 2 GB}}",
		"{connector: percipio, prometheusRule: {enabled: true, staleAfterHours: 0}}",
		"{connector: percipio, serviceMonitor: {interval: often}}",
	} {
		// Set a registry, so that the tested line is the only error.
		values = strings.Replace(values, "image: {", "image: {registry: registry.example, ", 1)
		if !strings.Contains(values, "image: {") {
			values = strings.Replace(values, "{", "{image: {registry: registry.example}, ", 1)
		}
		if _, err := render(t, "x", values); err == nil {
			t.Errorf("%s is accepted", values)
		}
	}
}
