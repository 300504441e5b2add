package deploy

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// console is the console, as described by its binary.
var console *program

// consoleGrace is the time in seconds that the console may take to stop after it has drained: changes of
// hosted connectors have 20, the last answers up to 8 more.
const consoleGrace = 28

var consoleVariable = regexp.MustCompile(`\[(BATON_CONSOLE_[A-Z_]+)\]`)

func askConsole(dir string) (*program, error) {
	binary, err := build(dir, "console")
	if err != nil {
		return nil, err
	}
	help, err := exec.Command(binary, "serve", "--help").Output()
	if err != nil {
		return nil, err
	}
	p := &program{name: "console", binary: binary, settings: map[string]string{}, grace: consoleGrace}
	for _, found := range consoleVariable.FindAllSubmatch(help, -1) {
		p.settings[string(found[1])] = ""
	}
	if len(p.settings) < 15 {
		return nil, fmt.Errorf("baton-console serve --help cannot be read: %v", p.settings)
	}
	return p, nil
}

// secrets are the files of the Secrets, by their keys.
func secrets(t *testing.T, database string) map[string]string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"console.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	// The commands that the manifests say make a key.
	made, err := exec.Command("sh", "-c", `echo "first $(head -c 32 /dev/urandom | base64)"`).Output()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"tls.crt": cert, "tls.key": key, "console.crt": cert, "console.key": key, "keys": string(made), "database": database}
}

// serves starts the console with the variables of a container or unit, in which the folders state and run are
// others, and checks that it becomes ready and stops. If there is a file with the URL of a database, which
// nothing answers, it checks that only the database is missing.
func serves(t *testing.T, env map[string]string, state, run string) {
	t.Helper()
	files, data := t.TempDir(), t.TempDir()
	database := false
	for name, text := range secrets(t, "postgres://console:secret-word@127.0.0.1:1/console\n") {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	vars := []string{"HOME=" + data}
	for name, value := range env {
		switch {
		case name == "BATON_CONSOLE_LISTEN":
			_, port, _ := net.SplitHostPort(address)
			value = value[:strings.LastIndex(value, ":")+1] + port
		case value == state:
			value = data
		case strings.HasPrefix(value, run):
			value = filepath.Join(files, filepath.Base(value))
			if _, err := os.Stat(value); err != nil {
				t.Errorf("%s: no Secret has this file: %v", name, err)
			}
		}
		database = database || name == "BATON_CONSOLE_DATABASE_FILE"
		vars = append(vars, name+"="+value)
	}
	cmd := exec.Command(console.binary, "serve", "--log-format", "console")
	cmd.Env = vars
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	served := make(chan bool, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "console: ") {
				served <- true
			}
		}
		close(served)
	}()
	select {
	case ok := <-served:
		if !ok {
			_ = cmd.Wait()
			if !database || cmd.ProcessState.ExitCode() != 14 || !strings.Contains(said.String(), "database of --database") || strings.Contains(said.String(), "secret-word") {
				t.Errorf("exit code %d: %s", cmd.ProcessState.ExitCode(), said.String())
			}
			return
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not serve")
	}
	scheme := "http"
	if env["BATON_CONSOLE_TLS_CERT"] != "" {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 20 * time.Second}
	resp, err := client.Get(scheme + "://" + address + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/ready: %s: %s", resp.Status, text)
	}
	// What the image's health check asks.
	check := exec.Command(console.binary, "health-check")
	check.Env = vars
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("health-check: %v: %s", err, out)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v: %s", err, said.String())
	}
}

// checkConsole compares a workload with the program, the image, and the Kubernetes profile "restricted", and
// starts the program as its container would.
func checkConsole(t *testing.T, w workload) (env map[string]string) {
	t.Helper()
	image := dockerfile(t, "baton-console")
	restricted(t, w.pod)
	s := w.pod.Spec
	if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken || len(s.Containers) != 1 {
		t.Fatalf("pod %+v", s)
	}
	c := s.Containers[0]
	if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the root file system can be written to")
	}
	if user := fmt.Sprint(deref(s.SecurityContext.RunAsUser)); s.SecurityContext.RunAsUser != nil && !strings.HasPrefix(image["USER"], user+":") {
		t.Errorf("user %s, but the image's is %s", user, image["USER"])
	}
	checkImage(t, w.kind, "console", c.Image)
	if !slices.Equal(c.Args, []string{"serve"}) {
		t.Errorf("arguments %q", c.Args)
	}
	env = map[string]string{}
	for _, v := range c.Env {
		console.knows(t, "container", v.Name)
		if _, twice := env[v.Name]; twice || v.Value == "" {
			t.Errorf("%s is set twice, or empty", v.Name)
		}
		env[v.Name] = v.Value
	}
	if !strings.HasPrefix(env["BATON_CONSOLE_URL"], "https://") || env["BATON_CONSOLE_DATA"] != image["VOLUME"] {
		t.Errorf("environment %v, volume %s", env, image["VOLUME"])
	}
	mounted := map[string]corev1.Volume{}
	for _, m := range c.VolumeMounts {
		for _, v := range s.Volumes {
			if v.Name == m.Name {
				mounted[m.MountPath] = v
			}
		}
		for _, claim := range w.claims {
			if claim.Name == m.Name {
				mounted[m.MountPath] = corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}
			}
		}
		if _, ok := mounted[m.MountPath]; !ok {
			t.Errorf("there is no volume %s", m.Name)
		}
		// A file that is mounted alone (subPath) would not change when the Secret does.
		if m.SubPath != "" {
			t.Errorf("%s is one file", m.MountPath)
		}
	}
	if len(mounted) != len(s.Volumes)+len(w.claims) {
		t.Errorf("volumes that nobody mounts: %v", s.Volumes)
	}
	for name, value := range env {
		if strings.HasPrefix(value, "/") && value != "/data" {
			if secret, ca := mounted[filepath.Dir(value)].Secret, mounted[value].ConfigMap; (secret == nil || deref(secret.DefaultMode) != 0o440) && ca == nil {
				t.Errorf("%s is %s, and nothing is mounted there for its user alone", name, value)
			}
		}
	}
	postgres := env["BATON_CONSOLE_DATABASE_FILE"] != ""
	if state := mounted["/data"]; postgres != (w.kind == "Deployment") || postgres && (state.EmptyDir == nil || state.EmptyDir.SizeLimit == nil) || !postgres && (state.PersistentVolumeClaim == nil || deref(w.replicas) != 1) {
		t.Errorf("a %s of %d replicas with PostgreSQL %v has its data on %+v", w.kind, deref(w.replicas), postgres, state)
	}
	drain, _ := strconv.Atoi(env["BATON_CONSOLE_DRAIN_SECONDS"])
	if postgres && drain < 5 {
		t.Errorf("a replica that is stopped serves on for %d seconds", drain)
	}
	if have := s.TerminationGracePeriodSeconds; have == nil || int(*have) < drain+consoleGrace {
		t.Errorf("it is killed after %v seconds and needs %d", deref(have), drain+consoleGrace)
	}
	scheme := corev1.URISchemeHTTP
	if env["BATON_CONSOLE_TLS_CERT"] != "" {
		scheme = corev1.URISchemeHTTPS
	}
	port := strings.ToLower(string(scheme))
	if len(c.Ports) != 1 || c.Ports[0].Name != port || fmt.Sprintf(":%d", c.Ports[0].ContainerPort) != env["BATON_CONSOLE_LISTEN"] || fmt.Sprintf("%d/tcp", c.Ports[0].ContainerPort) != image["EXPOSE"] {
		t.Errorf("ports %+v, it listens at %s", c.Ports, env["BATON_CONSOLE_LISTEN"])
	}
	for path, probe := range map[string]*corev1.Probe{"/live": c.LivenessProbe, "/ready": c.ReadinessProbe, "/live ": c.StartupProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != strings.TrimSpace(path) || probe.HTTPGet.Port != intstr.FromString(port) || probe.HTTPGet.Scheme != scheme {
			t.Errorf("the probe of %s: %+v", path, probe)
		}
	}
	if limit := c.Resources.Limits.Memory(); limit.IsZero() || c.Resources.Requests.Memory().Cmp(*limit) > 0 {
		t.Errorf("memory: %v requested, limit %v", c.Resources.Requests.Memory(), limit)
	}
	start := maps.Clone(env)
	delete(start, "SSL_CERT_DIR")
	delete(start, "BATON_CONSOLE_BOOTSTRAP")
	serves(t, start, "/data", "/run/secrets/")
	return env
}

// checkService checks that the Service finds the pods.
func checkService(t *testing.T, m *manifests, w workload) {
	t.Helper()
	if len(m.services) != 1 {
		t.Fatalf("%d services", len(m.services))
	}
	s := m.services[0].Spec
	for key, value := range s.Selector {
		if w.pod.Labels[key] != value {
			t.Errorf("the Service looks for %s=%s", key, value)
		}
	}
	if len(s.Selector) == 0 || s.Ports[0].TargetPort.String() != w.pod.Spec.Containers[0].Ports[0].Name {
		t.Errorf("service %+v", s)
	}
}

func consoleManifest(t *testing.T, file string) (*manifests, workload) {
	t.Helper()
	m, err := decode(read(t, "kubernetes/"+file))
	if err != nil {
		t.Fatal(err)
	}
	return m, m.workload(t)
}

// TestConsoleManifests checks the plain manifests of the console, with and without PostgreSQL.
func TestConsoleManifests(t *testing.T) {
	secret, err := decode(read(t, "kubernetes/baton-console-secrets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for file, kind := range map[string]string{"baton-console.yaml": "Deployment", "baton-console-statefulset.yaml": "StatefulSet"} {
		t.Run(kind, func(t *testing.T) {
			m, w := consoleManifest(t, file)
			env := checkConsole(t, w)
			checkService(t, m, w)
			if w.kind != kind || w.Name != "baton-console" || !strings.HasPrefix(w.pod.Spec.Containers[0].Image, "registry.example/") {
				t.Errorf("%s %s: %s", w.kind, w.Name, w.pod.Spec.Containers[0].Image)
			}
			for name, value := range env {
				if key, ok := strings.CutPrefix(value, "/run/secrets/console/"); ok && secret.secrets[0].StringData[key] == "" {
					t.Errorf("%s: the Secret has no %s", name, key)
				}
			}
			if !slices.ContainsFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == secret.secrets[0].Name }) {
				t.Errorf("the Secret %s is not mounted", secret.secrets[0].Name)
			}
			if kind == "Deployment" {
				if u := m.deployments[0].Spec.Strategy.RollingUpdate; deref(w.replicas) < 2 || u == nil || u.MaxUnavailable.IntValue() != 0 || u.MaxSurge.IntValue() < 1 {
					t.Errorf("%d replicas, replaced by %+v", deref(w.replicas), u)
				}
				checkBudget(t, m, w)
			}
		})
	}
}

// TestConsoleChart compares the chart's objects with the plain ones.
func TestConsoleChart(t *testing.T) {
	for kind, file := range map[string]string{"Deployment": "baton-console.yaml", "StatefulSet": "baton-console-statefulset.yaml"} {
		database := map[string]string{"Deployment": "postgres", "StatefulSet": "sqlite"}[kind]
		plainManifest, plain := consoleManifest(t, file)
		m, chart := consoleRendered(t, "baton-console", "{url: 'https://console.example.com', image: {registry: registry.example}, database: "+database+map[string]string{"postgres": ", state: {size: 4Gi}"}[database]+"}")
		for _, label := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
			if chart.pod.Labels[label] == "" {
				t.Errorf("%s: no label %s", kind, label)
			}
			delete(chart.pod.Labels, label)
		}
		for _, c := range []struct{ got, want any }{
			{chart.kind, plain.kind}, {chart.replicas, plain.replicas}, {chart.claims, plain.claims}, {chart.selector, plain.selector},
			{chart.pod.Labels, plain.pod.Labels}, {m.services[0].Spec, plainManifest.services[0].Spec}, {len(m.budgets), len(plainManifest.budgets)},
		} {
			g, err1 := yaml.Marshal(c.got)
			w, err2 := yaml.Marshal(c.want)
			if err1 != nil || err2 != nil || string(g) != string(w) {
				t.Errorf("%s: the chart has\n%s\nand the plain manifest\n%s", kind, g, w)
			}
		}
		if kind == "StatefulSet" {
			// The plain one waits 45 seconds in both forms.
			*chart.pod.Spec.TerminationGracePeriodSeconds += 10
		}
		byName := func(a, b corev1.EnvVar) int { return strings.Compare(a.Name, b.Name) }
		slices.SortFunc(chart.pod.Spec.Containers[0].Env, byName)
		slices.SortFunc(plain.pod.Spec.Containers[0].Env, byName)
		got, err1 := yaml.Marshal(chart.pod.Spec)
		want, err2 := yaml.Marshal(plain.pod.Spec)
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%s: the chart's pod is\n%s\nand the plain one\n%s", kind, got, want)
		}
	}
}

func consoleRendered(t *testing.T, release, values string) (*manifests, workload) {
	t.Helper()
	text, err := renderChart(t, "helm-console", release, values)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decode(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m, m.workload(t)
}

const consoleEverything = `
url: https://access.acme.example:8443
image: {registry: "registry.example:5000/team", digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
imagePullSecrets: [{name: pull}]
existingSecret: mine
replicas: 3
drainSeconds: 20
tls: {secret: ""}
trustProxy: [10.1.0.0/16, 10.2.0.0/16]
allowNetwork: [192.168.0.0/16]
bootstrap: {secret: people, key: acme.yaml}
settings: {log-level: debug}
extraEnv: [{name: GOMEMLIMIT, value: 900MiB}]
extraCA: {configMap: corporate}
service: {type: LoadBalancer, port: 8443, annotations: {internal: "true"}}
state: {size: 20Gi}
resources: {requests: {cpu: 100m, memory: 256Mi}, limits: {memory: 2Gi}}
networkPolicy: {enabled: true, extraEgress: [{ports: [{protocol: TCP, port: 587}]}]}
serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}, staleAfterHours: 6, lateAfterMinutes: 5}
podAnnotations: {team: identity}
podLabels: {cost-center: "17"}
nodeSelector: {kubernetes.io/arch: arm64}
tolerations: [{key: dedicated, operator: Exists}]
priorityClassName: high
`

// TestConsoleValuesReachThePod sets every value and looks for it.
func TestConsoleValuesReachThePod(t *testing.T) {
	m, d := consoleRendered(t, "acme", consoleEverything)
	env := checkConsole(t, d)
	checkService(t, m, d)
	checkBudget(t, m, d)
	for name, want := range map[string]string{
		"BATON_CONSOLE_URL": "https://access.acme.example:8443", "BATON_CONSOLE_DRAIN_SECONDS": "20", "BATON_CONSOLE_TLS_CERT": "", "BATON_CONSOLE_TRUST_PROXY": "10.1.0.0/16,10.2.0.0/16",
		"BATON_CONSOLE_ALLOW_NETWORK": "192.168.0.0/16", "BATON_CONSOLE_BOOTSTRAP": "/run/secrets/bootstrap/acme.yaml", "BATON_CONSOLE_LOG_LEVEL": "debug", "GOMEMLIMIT": "900MiB", "SSL_CERT_DIR": "/etc/baton/ca",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	s, c := d.pod.Spec, d.pod.Spec.Containers[0]
	volume := func(name string) corev1.Volume {
		return s.Volumes[slices.IndexFunc(s.Volumes, func(v corev1.Volume) bool { return v.Name == name })]
	}
	for what, ok := range map[string]bool{
		"image":         c.Image == "registry.example:5000/team/baton-console@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"pull secrets":  s.ImagePullSecrets[0].Name == "pull",
		"secret":        volume("secrets").Secret.SecretName == "mine",
		"bootstrap":     volume("bootstrap").Secret.SecretName == "people",
		"ca":            volume("ca").ConfigMap.Name == "corporate",
		"replicas":      *d.replicas == 3,
		"state":         volume("data").EmptyDir.SizeLimit.String() == "20Gi",
		"spread":        len(s.TopologySpreadConstraints) == 1,
		"memory":        c.Resources.Limits.Memory().String() == "2Gi",
		"annotations":   d.pod.Annotations["team"] == "identity",
		"labels":        d.pod.Labels["cost-center"] == "17",
		"node selector": s.NodeSelector["kubernetes.io/arch"] == "arm64",
		"tolerations":   s.Tolerations[0].Key == "dedicated",
		"priority":      s.PriorityClassName == "high",
		"grace":         *s.TerminationGracePeriodSeconds == 55,
		"name":          d.Name == "acme-baton-console",
		"service":       m.services[0].Spec.Type == "LoadBalancer" && m.services[0].Spec.Ports[0].Port == 8443 && m.services[0].Annotations["internal"] == "true",
		"policy":        len(m.policies[0].Spec.Egress) == 3 && m.policies[0].Spec.Egress[1].Ports[1].Port.IntValue() == 5432 && m.policies[0].Spec.Ingress[0].Ports[0].Port.String() == "http",
		"monitor":       m.monitors[0].Labels["release"] == "prometheus" && m.monitors[0].Spec.Endpoints[0].Interval == "15s" && m.monitors[0].Spec.Endpoints[0].Port == m.services[0].Spec.Ports[0].Name,
		"rule":          m.rules[0].Labels["release"] == "prometheus",
	} {
		if !ok {
			t.Errorf("%s did not arrive", what)
		}
	}
	checkConsoleRules(t, m.rules[0], m.services[0].Name)
	if m, w := consoleRendered(t, "console", "{url: 'https://c.example', image: {registry: registry.example}, runAsUser: null, fsGroup: null, replicas: 1}"); w.Name != "baton-console" || len(m.budgets) > 0 || w.pod.Spec.SecurityContext.RunAsUser != nil {
		t.Errorf("%s: %+v", w.Name, w.pod.Spec.SecurityContext)
	}
}

var (
	consoleMetric = regexp.MustCompile(`(?:Metric|counts)\("([a-z_]+)", "`)
	consoleLabel  = regexp.MustCompile(`[lL]abel\("([a-z_]+)",|, "([a-z]+)", figures\.`)
	consoleNamed  = regexp.MustCompile(`\bbaton_console_([a-z_]+)`)
)

// checkConsoleRules compares the alerts with the metrics of the console, by its source.
func checkConsoleRules(t *testing.T, r prometheusRule, job string) {
	t.Helper()
	source := read(t, "../console/server/metrics.go") + read(t, "../console/telemetry/meter.go")
	known, labels := map[string]bool{}, []string{"job", "namespace"}
	for _, found := range consoleMetric.FindAllStringSubmatch(source, -1) {
		known[found[1]] = true
	}
	for _, found := range consoleLabel.FindAllStringSubmatch(source, -1) {
		labels = append(labels, found[1]+found[2])
	}
	if len(known) < 10 || len(r.Spec.Groups[0].Rules) < 4 {
		t.Fatalf("metrics %v, %d alerts", known, len(r.Spec.Groups[0].Rules))
	}
	for _, rule := range r.Spec.Groups[0].Rules {
		names := consoleNamed.FindAllStringSubmatch(rule.Expr, -1)
		if len(names) == 0 || !strings.Contains(rule.Expr, `job="`+job+`"`) || !strings.Contains(rule.Expr, `namespace="c1"`) || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
			t.Errorf("%s: %+v", rule.Alert, rule)
		}
		for _, n := range names {
			if !known[n[1]] {
				t.Errorf("%s: the console does not measure %s", rule.Alert, n[0])
			}
		}
		for _, l := range asked.FindAllStringSubmatch(rule.Expr, -1) {
			if name := l[1] + l[2]; !slices.Contains(labels, name) {
				t.Errorf("%s: there is no label %s", rule.Alert, name)
			}
		}
	}
}

// TestConsoleBadValues: invalid values fail before anything is applied.
func TestConsoleBadValues(t *testing.T) {
	for _, values := range []string{
		"", "url: http://console.example.com", "url: https://console.example.com/path", "url: 'https://c.example', database: mysql", "url: 'https://c.example', replicas: 0",
		"url: 'https://c.example', existingSecret: ''", "url: 'https://c.example', settings: {database: x}", "url: 'https://c.example', settings: {keys: x}", "url: 'https://c.example', drainSeconds: -1",
		"url: 'https://c.example', tls: {cert: x}", "url: 'https://c.example', trustProxy: [everybody]", "url: 'https://c.example', runAsUser: 0", "url: 'https://c.example', replica: 3",
		"url: 'https://c.example', service: {type: ExternalName}", "url: 'https://c.example', image: {tag: latest, registry: registry.example}",
	} {
		if !strings.Contains(values, "registry") {
			values = "image: {registry: registry.example}, " + values
		}
		if _, err := renderChart(t, "helm-console", "x", "{"+values+"}"); err == nil {
			t.Errorf("%s is accepted", values)
		}
	}
	if _, err := renderChart(t, "helm-console", "x", "{url: 'https://c.example'}"); err == nil || !strings.Contains(err.Error(), "image.registry is not set") {
		t.Errorf("without a registry: %v", err)
	}
}

// TestConsoleCompose reads the Compose files of the console, and starts it as its containers would.
func TestConsoleCompose(t *testing.T) {
	image := dockerfile(t, "baton-console")
	for file, names := range map[string][]string{"console.yaml": {"console"}, "console-postgres.yaml": {"console-1", "console-2", "console-3"}} {
		text := read(t, "compose/"+file)
		for missing, given := range map[string]map[string]string{"REGISTRY": {"CONSOLE_URL": "https://c.example"}, "CONSOLE_URL": {"REGISTRY": "registry.example"}} {
			if _, err := interpolate(text, given); err == nil || !strings.Contains(err.Error(), "set "+missing+" to") {
				t.Errorf("%s without %s: %v", file, missing, err)
			}
		}
		text, err := interpolate(text, map[string]string{"REGISTRY": "registry.example", "CONSOLE_URL": "https://console.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		var c compose
		if err := yaml.UnmarshalStrict([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			s, ok := c.Services[name]
			if !ok {
				t.Fatalf("%s has no service %s", file, name)
			}
			if s.User != image["USER"] || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.MemLimit == "" || s.Restart == "" {
				t.Errorf("%s is not hardened: %+v", name, s)
			}
			checkImage(t, file, "console", s.Image)
			if !strings.Contains(image["HEALTHCHECK"], `["`+s.Healthcheck.Test[1]+`", "`+s.Healthcheck.Test[2]+`"]`) || !slices.Equal(s.Command, []string{"serve"}) {
				t.Errorf("%s: health check %q, command %q", name, s.Healthcheck.Test, s.Command)
			}
			drain, _ := strconv.Atoi(s.Environment["BATON_CONSOLE_DRAIN_SECONDS"])
			if grace, err := strconv.Atoi(strings.TrimSuffix(s.StopGrace, "s")); err != nil || grace < drain+consoleGrace {
				t.Errorf("%s is killed after %s", name, s.StopGrace)
			}
			if len(s.Volumes) != 1 || !strings.HasSuffix(s.Volumes[0], image["VOLUME"]) || s.Environment["BATON_CONSOLE_DATA"] != image["VOLUME"] {
				t.Errorf("%s: volumes %q", name, s.Volumes)
			}
			for key, value := range s.Environment {
				console.knows(t, file, key)
				if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok && (!slices.Contains(s.Secrets, secret) || c.Secrets[secret].File == "") {
					t.Errorf("%s: there is no secret for %s", name, key)
				}
			}
			if proxy := s.Environment["BATON_CONSOLE_TRUST_PROXY"]; proxy != "" && c.Networks["console"].IPAM.Config[0].Subnet != proxy {
				t.Errorf("%s trusts %s, and HAProxy is in %+v", name, proxy, c.Networks)
			}
			serves(t, s.Environment, "/data", "/run/secrets/")
		}
		if file == "console.yaml" {
			continue
		}
		for _, name := range append(names, "haproxy", "database") {
			if !slices.Equal(c.Services[name].Networks, []string{"console"}) {
				t.Errorf("%s is in the networks %q", name, c.Services[name].Networks)
			}
		}
		if len(c.Services["console-1"].Ports)+len(c.Services["database"].Ports) > 0 {
			t.Error("the replicas or the database can be reached from outside")
		}
		balancer := read(t, "haproxy/haproxy.cfg")
		for _, name := range names {
			if !strings.Contains(balancer, " "+name+":8443\n") {
				t.Errorf("HAProxy has no server %s", name)
			}
		}
		if drain, _ := strconv.Atoi(c.Services["console-1"].Environment["BATON_CONSOLE_DRAIN_SECONDS"]); drain <= 2 || !strings.Contains(balancer, "inter 1s fall 2") || !strings.Contains(balancer, "option httpchk GET /ready") {
			t.Errorf("a replica serves on for %d seconds, which HAProxy does not notice", drain)
		}
	}
}

// TestConsoleUnit reads the unit of the console with its additions, and starts it as systemd would.
func TestConsoleUnit(t *testing.T) {
	u := unit(t, "systemd/baton-console.service")
	for key, want := range map[string]string{"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "",
		"StateDirectory": "baton-console", "ExecStart": "/usr/local/bin/baton-console serve", "MemoryDenyWriteExecute": "yes"} {
		if got := u["Service "+key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	additions, err := filepath.Glob("systemd/baton-console.service.d/*.conf")
	if err != nil || len(additions) != 2 {
		t.Fatalf("%q, %v", additions, err)
	}
	const file = "BATON_CONSOLE_URL=https://console.example.com" // of /etc/baton/console.env
	if !strings.Contains(read(t, "systemd/baton-console.service"), file) {
		t.Errorf("the unit does not say that it needs %s", file)
	}
	for _, with := range [][]string{nil, additions[:1], additions[1:], additions} {
		env, loaded := map[string]string{}, map[string]bool{}
		all := append([]string{file}, u["Service Environment"]...)
		for _, name := range with {
			more := unit(t, name)
			all = append(all, more["Service Environment"]...)
			for _, l := range more["Service LoadCredential"] {
				id, from, _ := strings.Cut(l, ":")
				loaded[id] = strings.HasPrefix(from, "/etc/baton/console-")
			}
		}
		for _, v := range all {
			key, value, _ := strings.Cut(v, "=")
			console.knows(t, "unit", key)
			if id, ok := strings.CutPrefix(value, "%d/"); ok && !loaded[id] {
				t.Errorf("nobody loads %s", value)
			}
			env[key] = value
		}
		if state := "/var/lib/baton-console"; env["BATON_CONSOLE_DATA"] != state || u["Service WorkingDirectory"][0] != state {
			t.Errorf("state in %s", env["BATON_CONSOLE_DATA"])
		}
		drain, _ := strconv.Atoi(env["BATON_CONSOLE_DRAIN_SECONDS"])
		if stop, _ := strconv.Atoi(u["Service TimeoutStopSec"][0]); stop < drain+consoleGrace {
			t.Errorf("it is killed after %d seconds", stop)
		}
		serves(t, env, "/var/lib/baton-console", "%d/")
	}
}
