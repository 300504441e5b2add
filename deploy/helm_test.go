package deploy

import (
	"maps"
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

// render renders the chart as helm template does, with Helm's own engine. A value that
// a template misses is an error.
func render(t *testing.T, release, values string) (string, error) {
	t.Helper()
	chart, err := loader.LoadDir("helm")
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
	if len(m.deployments) != 1 {
		t.Fatalf("%d deployments in\n%s", len(m.deployments), text)
	}
	return m
}

// TestChartDefaults installs either connector with no other value.
func TestChartDefaults(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"perplexity": {"BATON_CLIENT_ID": "secret BATON_CLIENT_ID", "BATON_SCIM_URL": "secret BATON_SCIM_URL", "BATON_PROVISIONING": "secret BATON_PROVISIONING",
			"BATON_SCIM_TOKEN_FILE": "/run/secrets/baton/BATON_SCIM_TOKEN", "BATON_CLIENT_SECRET_FILE": "/run/secrets/baton/BATON_CLIENT_SECRET"},
		"percipio": {"BATON_CLIENT_ID": "secret BATON_CLIENT_ID", "BATON_ORGANIZATION_ID": "secret BATON_ORGANIZATION_ID", "BATON_LIMITED_COURSES": "secret BATON_LIMITED_COURSES",
			"BATON_API_TOKEN_FILE": "/run/secrets/baton/BATON_API_TOKEN", "BATON_CLIENT_SECRET_FILE": "/run/secrets/baton/BATON_CLIENT_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			m := rendered(t, "baton-"+name, "connector: "+name)
			d := m.deployments[0]
			env, secret := checkDeployment(t, programs[name], d)
			for key, value := range want {
				if env[key] != value {
					t.Errorf("%s is %q, want %q", key, env[key], value)
				}
			}
			if secret != "baton-"+name+"-secrets" || d.Name != "baton-"+name || *d.Spec.Replicas != 2 {
				t.Errorf("secret %s, deployment %s, %d replicas", secret, d.Name, *d.Spec.Replicas)
			}
			if image := d.Spec.Template.Spec.Containers[0].Image; image != "baton-"+name+":v0.1.0" {
				t.Errorf("image %s", image)
			}
			checkBudget(t, m, d)
			if len(m.secrets)+len(m.services)+len(m.monitors)+len(m.rules)+len(m.policies) > 0 {
				t.Error("more is made than was asked for")
			}
		})
	}
}

// TestChartIsThePlainManifests holds the chart's pods against the plain ones, so that
// one is not hardened more than the other.
func TestChartIsThePlainManifests(t *testing.T) {
	for name := range programs {
		plain, err := decode(read(t, "kubernetes/baton-"+name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		want := plain.deployments[0].Spec.Template.Spec
		got := rendered(t, "baton-"+name, "{connector: "+name+", secretsAs: env, image: {registry: registry.example}}").deployments[0].Spec.Template.Spec
		for _, c := range []struct{ got, want any }{
			{got.SecurityContext, want.SecurityContext}, {got.Volumes, want.Volumes}, {got.TerminationGracePeriodSeconds, want.TerminationGracePeriodSeconds},
			{got.TopologySpreadConstraints, want.TopologySpreadConstraints},
			{got.Containers[0].SecurityContext, want.Containers[0].SecurityContext}, {got.Containers[0].Resources, want.Containers[0].Resources},
			{got.Containers[0].LivenessProbe, want.Containers[0].LivenessProbe}, {got.Containers[0].ReadinessProbe, want.Containers[0].ReadinessProbe},
			{got.Containers[0].StartupProbe, want.Containers[0].StartupProbe}, {got.Containers[0].EnvFrom, want.Containers[0].EnvFrom},
			{got.Containers[0].Image, want.Containers[0].Image}, {got.Containers[0].Ports, want.Containers[0].Ports},
		} {
			g, err1 := yaml.Marshal(c.got)
			w, err2 := yaml.Marshal(c.want)
			if err1 != nil || err2 != nil || string(g) != string(w) {
				t.Errorf("%s: the chart has\n%s\nand the plain manifest\n%s", name, g, w)
			}
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
state: {sizeLimit: 10Gi}
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

// TestValuesReachThePod sets every value and looks for it.
func TestValuesReachThePod(t *testing.T) {
	m := rendered(t, "acme", everything)
	d := m.deployments[0]
	env, _ := checkDeployment(t, programs["perplexity"], d)
	for name, want := range map[string]string{
		"BATON_LOG_LEVEL": "debug", "BATON_MIN_ADMINS": "3", "BATON_ALLOW_EMPTY": "true", "BATON_PROVISIONING": "true", "BATON_ADMIN_GROUP": "Admins, all",
		"BATON_CA_FILE": "/etc/baton/ca/root.pem", "HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".internal",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example:4318", "BATON_HEALTH_CHECK_PORT": "9091", "BATON_SHUTDOWN_GRACE_SECONDS": "300",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	s, c := d.Spec.Template.Spec, d.Spec.Template.Spec.Containers[0]
	for what, ok := range map[string]bool{
		"image":         c.Image == "registry.example:5000/team/baton-perplexity@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"pullPolicy":    c.ImagePullPolicy == "Always",
		"pull secrets":  len(s.ImagePullSecrets) == 1 && s.ImagePullSecrets[0].Name == "pull",
		"replicas":      *d.Spec.Replicas == 3,
		"state":         s.Volumes[0].EmptyDir.SizeLimit.String() == "10Gi",
		"cpu":           c.Resources.Requests.Cpu().String() == "50m" && c.Resources.Limits.Cpu().IsZero(),
		"memory":        c.Resources.Requests.Memory().String() == "64Mi" && c.Resources.Limits.Memory().String() == "1Gi",
		"annotations":   d.Spec.Template.Annotations["team"] == "identity" && d.Spec.Template.Annotations["baton/secret"] != "",
		"labels":        d.Spec.Template.Labels["cost-center"] == "17",
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
		m.services[0].Spec.Selector["app"] != d.Spec.Template.Labels["app"] || m.monitors[0].Spec.Selector.MatchLabels["app"] != m.services[0].Labels["app"] {
		t.Errorf("the monitor does not find the pods: %+v", m.services[0])
	}
	checkRules(t, m.rules[0], m.services[0].Name)
}

var (
	metricName = regexp.MustCompile(`\bbaton_[a-z_]+\b`)
	family     = regexp.MustCompile(`\{"(baton_[a-z_]+)", "`)
	counted    = regexp.MustCompile(`\.(?:count|set)\("(baton_[a-z_]+)", [^"\n]+?((?:, "[a-z_]+", [^"\n]+)*)\)\n`)
	labelName  = regexp.MustCompile(`"([a-z_]+)"`)
	asked      = regexp.MustCompile(`(?:\{|,)\s*([a-z_]+)\s*(?:=~|!=|=)|by \(([a-z_]+)\)`)
)

// measured are the metrics of the service and the labels that each has, as its sources
// have them.
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

// checkRules holds the alerts against the metrics that the service has.
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
	for _, want := range []string{"BatonSyncStale", "BatonCredentialRefused", "BatonSyncHeld", "BatonTasksFailing"} {
		if !slices.Contains(alerts, want) {
			t.Errorf("there is no alert %s", want)
		}
	}
}

// TestOpenShift leaves the choice of users to the platform.
func TestOpenShift(t *testing.T) {
	d := rendered(t, "percipio", "{connector: percipio, runAsUser: null, fsGroup: null}").deployments[0]
	if c := d.Spec.Template.Spec.SecurityContext; c.RunAsUser != nil || c.RunAsGroup != nil || c.FSGroup != nil || !*c.RunAsNonRoot {
		t.Errorf("%+v", c)
	}
	checkDeployment(t, programs["percipio"], d)
	if d.Name != "baton-percipio" {
		t.Error(d.Name)
	}
}

// TestBadValues must fail before anything is applied.
func TestBadValues(t *testing.T) {
	for _, values := range []string{
		"{}",
		"connector: slack",
		"{connector: percipio, replica: 3}",
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
		"{connector: percipio, state: {sizeLimit: 2 GB}}",
		"{connector: percipio, prometheusRule: {enabled: true, staleAfterHours: 0}}",
		"{connector: percipio, serviceMonitor: {interval: often}}",
	} {
		if _, err := render(t, "x", values); err == nil {
			t.Errorf("%s is accepted", values)
		}
	}
}
