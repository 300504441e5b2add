package deploy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// The parts of the Prometheus operator's custom resources that are used.
type (
	serviceMonitor struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Selector  metav1.LabelSelector `json:"selector"`
			Endpoints []struct {
				Port     string `json:"port"`
				Path     string `json:"path"`
				Interval string `json:"interval"`
				Scheme   string `json:"scheme"`
				TLS      struct {
					InsecureSkipVerify bool `json:"insecureSkipVerify"`
				} `json:"tlsConfig"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	prometheusRule struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	rule struct {
		Alert       string            `json:"alert"`
		Expr        string            `json:"expr"`
		For         string            `json:"for,omitempty"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
)

// manifests holds the objects of a text, by kind.
type manifests struct {
	deployments []appsv1.Deployment
	sets        []appsv1.StatefulSet
	secrets     []corev1.Secret
	services    []corev1.Service
	budgets     []policyv1.PodDisruptionBudget
	policies    []networkingv1.NetworkPolicy
	monitors    []serviceMonitor
	rules       []prometheusRule
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// decode reads manifests like a strict API server: unknown and repeated fields are errors, and so is a label
// that is not a string.
func decode(text string) (*manifests, error) {
	m := new(manifests)
	for _, doc := range separator.Split(text, -1) {
		var head metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			return nil, err
		}
		var err error
		switch head.APIVersion + " " + head.Kind {
		case " ":
			if content := regexp.MustCompile(`(?m)^\s*(#.*)?$`).ReplaceAllString(doc, ""); strings.TrimSpace(content) != "" {
				err = fmt.Errorf("unknown document: %s", doc)
			}
		case "apps/v1 Deployment":
			err = add(doc, &m.deployments)
		case "apps/v1 StatefulSet":
			err = add(doc, &m.sets)
		case "v1 Secret":
			err = add(doc, &m.secrets)
		case "v1 Service":
			err = add(doc, &m.services)
		case "policy/v1 PodDisruptionBudget":
			err = add(doc, &m.budgets)
		case "networking.k8s.io/v1 NetworkPolicy":
			err = add(doc, &m.policies)
		case "monitoring.coreos.com/v1 ServiceMonitor":
			err = add(doc, &m.monitors)
		case "monitoring.coreos.com/v1 PrometheusRule":
			err = add(doc, &m.rules)
		default:
			err = fmt.Errorf("unexpected object %s %s", head.APIVersion, head.Kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func add[T any](doc string, to *[]T) error {
	// Do not use yaml.UnmarshalStrict, which turns a bool into a string.
	text, err := yaml.YAMLToJSONStrict([]byte(doc))
	if err != nil {
		return err
	}
	var v T
	unknown, err := json.UnmarshalStrict(text, &v)
	if err := errors.Join(append(unknown, err)...); err != nil {
		return err
	}
	*to = append(*to, v)
	return nil
}

// workload is a Deployment or a StatefulSet.
type workload struct {
	kind string
	metav1.ObjectMeta
	replicas *int32
	selector *metav1.LabelSelector
	pod      corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
}

// workload returns the only workload of the manifests.
func (m *manifests) workload(t *testing.T) workload {
	t.Helper()
	if len(m.deployments)+len(m.sets) != 1 {
		t.Fatalf("%d deployments, %d stateful sets", len(m.deployments), len(m.sets))
	}
	if len(m.sets) == 1 {
		s := m.sets[0]
		return workload{"StatefulSet", s.ObjectMeta, s.Spec.Replicas, s.Spec.Selector, s.Spec.Template, s.Spec.VolumeClaimTemplates}
	}
	d := m.deployments[0]
	return workload{"Deployment", d.ObjectMeta, d.Spec.Replicas, d.Spec.Selector, d.Spec.Template, nil}
}

// reference matches an image with a registry and a tag or digest. A name without a registry would be one of
// Docker Hub, where this project owns none.
var reference = regexp.MustCompile(`^((localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)(:[0-9]+)?|[a-z0-9-]+:[0-9]+)/([a-z0-9._-]+/)*baton-(perplexity|percipio|console)(:v[0-9][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$`)

func checkImage(t *testing.T, where, name, image string) {
	t.Helper()
	if !reference.MatchString(image) || !strings.Contains(image, "/baton-"+name) {
		t.Errorf("%s: the image %s names no registry, no version or another connector", where, image)
	}
}

// program is a connector, as described by its binary and its image.
type program struct {
	name     string            // "perplexity"
	binary   string            // path
	settings map[string]string // environment variables with the kinds of their values; "" is a switch
	grace    int               // default of shutdown-grace-seconds
}

var programs = map[string]*program{}

// TestMain builds the programs, to read their settings.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deploy-")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"perplexity", "percipio"} {
		if programs[name], err = ask(dir, name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if console, err = askConsole(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var (
	flagLine  = regexp.MustCompile(`(?m)^\s+(?:-\w, )?--([a-z0-9-]+)(?: (text|number|list|secret))?(?: \[|$)`)
	graceLine = regexp.MustCompile(`(?s)--shutdown-grace-seconds.*?default (\d+)`)
)

func build(dir, name string) (binary string, err error) {
	binary = filepath.Join(dir, "baton-"+name)
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/baton-"+name)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
}

func ask(dir, name string) (*program, error) {
	binary, err := build(dir, name)
	if err != nil {
		return nil, err
	}
	help, err := exec.Command(binary, "help", "flags").Output()
	if err != nil {
		return nil, err
	}
	p := &program{name: name, binary: binary, settings: map[string]string{}}
	for _, found := range flagLine.FindAllSubmatch(help, -1) {
		p.settings["BATON_"+strings.ToUpper(strings.ReplaceAll(string(found[1]), "-", "_"))] = string(found[2])
	}
	if found := graceLine.FindSubmatch(help); found != nil {
		p.grace, err = strconv.Atoi(string(found[1]))
	}
	if len(p.settings) < 30 || p.grace == 0 || err != nil {
		return nil, fmt.Errorf("baton-%s help flags cannot be read: %d settings, %d seconds of grace (%v)", name, len(p.settings), p.grace, err)
	}
	return p, nil
}

// foreign lists variables that are read without being settings.
var foreign = []string{"BATON_SETTINGS_DIR", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOMEMLIMIT"}

// knows checks that the program reads a variable.
func (p *program) knows(t *testing.T, where, name string) {
	t.Helper()
	if _, ok := p.settings[name]; !ok && !slices.Contains(foreign, name) && !strings.HasPrefix(name, "OTEL_") {
		t.Errorf("%s: baton-%s does not read %s", where, p.name, name)
	}
}

// dockerfile returns an image's stage in the Dockerfile: the last value of each instruction.
func dockerfile(t *testing.T, image string) map[string]string {
	t.Helper()
	last := map[string]string{}
	in := false
	for line := range strings.Lines(strings.ReplaceAll(read(t, "../Dockerfile"), "\\\n", " ")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "FROM" {
			in = strings.HasSuffix(rest, " AS "+image)
		}
		if in {
			last[word] = strings.TrimSpace(rest)
		}
	}
	if len(last) == 0 {
		t.Fatalf("the Dockerfile has no stage %s", image)
	}
	return last
}

// checkWorkload compares a workload with the program, the image, and the Kubernetes profile "restricted". env
// holds the resulting variables of the container, without those of a whole Secret.
func checkWorkload(t *testing.T, p *program, w workload) (env map[string]string, secret string) {
	t.Helper()
	image := dockerfile(t, "baton-"+p.name)
	pod := w.pod
	selector, err := metav1.LabelSelectorAsSelector(w.selector)
	if err != nil || !selector.Matches(labels.Set(pod.Labels)) || selector.Empty() {
		t.Errorf("the selector %v does not match the pods' labels %v (%v)", selector, pod.Labels, err)
	}
	if pod.Labels["baton"] != "true" || pod.Labels["baton-app"] != p.name || pod.Labels["app"] == "" {
		t.Errorf("labels %v", pod.Labels)
	}
	restricted(t, pod)
	s := pod.Spec
	if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken {
		t.Error("a service account token is mounted")
	}
	if len(s.Containers) != 1 {
		t.Fatalf("%d containers", len(s.Containers))
	}
	c := s.Containers[0]
	if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the root file system can be written to")
	}
	if user := fmt.Sprint(deref(s.SecurityContext.RunAsUser)); s.SecurityContext.RunAsUser != nil && !strings.HasPrefix(image["USER"], user+":") {
		t.Errorf("user %s, but the image's is %s", user, image["USER"])
	}
	env, secret = environment(t, p, c)
	checkImage(t, w.kind, p.name, c.Image)
	checkVolumes(t, w, env, image["VOLUME"])
	checkHealth(t, c, env, image["EXPOSE"])
	grace := p.grace
	if text := env["BATON_SHUTDOWN_GRACE_SECONDS"]; text != "" {
		grace, _ = strconv.Atoi(text)
	}
	// The last answers take up to 5 seconds more, and the last export 3.
	if have := s.TerminationGracePeriodSeconds; have == nil || int(*have) < grace+5+3 {
		t.Errorf("it is killed after %v seconds and needs %d", deref(have), grace+5+3)
	}
	if limit := c.Resources.Limits.Memory(); limit.IsZero() || c.Resources.Requests.Memory().Cmp(*limit) > 0 {
		t.Errorf("memory: %v requested, limit %v", c.Resources.Requests.Memory(), limit)
	}
	return env, secret
}

func deref[T any](p *T) T { return *cmp.Or(p, new(T)) }

// restricted checks a pod with the code of Kubernetes itself.
func restricted(t *testing.T, pod corev1.PodTemplateSpec) {
	t.Helper()
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range judge.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
		if !r.Allowed {
			t.Errorf("not restricted: %s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
}

// environment returns a container's variables and the Secret that they come from.
func environment(t *testing.T, p *program, c corev1.Container) (env map[string]string, secret string) {
	t.Helper()
	env = map[string]string{}
	for _, v := range c.Env {
		p.knows(t, "container", v.Name)
		if _, twice := env[v.Name]; twice {
			t.Errorf("%s is set twice", v.Name)
		}
		env[v.Name] = v.Value
		switch from := v.ValueFrom; {
		case from == nil && v.Value == "":
			t.Errorf("%s is empty", v.Name)
		case from == nil:
		case from.FieldRef != nil:
			env[v.Name] = "field " + from.FieldRef.FieldPath
		case from.SecretKeyRef != nil:
			env[v.Name] = "secret " + from.SecretKeyRef.Key
			secret = from.SecretKeyRef.Name
		}
	}
	for _, from := range c.EnvFrom {
		if from.SecretRef.Optional != nil || from.Prefix != "" {
			t.Errorf("the Secret is %+v", from)
		}
		secret = from.SecretRef.Name
	}
	if env["BATON_HOST_ID"] != "field metadata.name" {
		t.Errorf("replicas are told apart by %q", env["BATON_HOST_ID"])
	}
	return env, secret
}

// checkVolumes checks that mounted volumes exist, and that the state has a volume: a claim of a StatefulSet,
// or the pod's of a Deployment.
func checkVolumes(t *testing.T, w workload, env map[string]string, imageVolume string) {
	t.Helper()
	volumes, c := map[string]corev1.Volume{}, w.pod.Spec.Containers[0]
	for _, v := range w.pod.Spec.Volumes {
		volumes[v.Name] = v
	}
	for _, claim := range w.claims {
		volumes[claim.Name] = corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}
		if storage := claim.Spec.Resources.Requests.Storage(); storage.IsZero() || !slices.Equal(claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}) {
			t.Errorf("claim %+v", claim.Spec)
		}
	}
	mounted := map[string]corev1.Volume{}
	for _, m := range c.VolumeMounts {
		v, ok := volumes[m.Name]
		if !ok {
			t.Errorf("there is no volume %s", m.Name)
		}
		delete(volumes, m.Name)
		mounted[m.MountPath] = v
	}
	if len(volumes) > 0 {
		t.Errorf("volumes that nobody mounts: %v", volumes)
	}
	state := mounted[env["BATON_C1Z_TEMP_DIR"]]
	kept := state.PersistentVolumeClaim != nil
	if kept != (w.kind == "StatefulSet") || !kept && (state.EmptyDir == nil || state.EmptyDir.SizeLimit == nil) || env["BATON_C1Z_TEMP_DIR"] != imageVolume {
		t.Errorf("the state of a %s is in %q, where %+v is mounted, and the image has %s for it", w.kind, env["BATON_C1Z_TEMP_DIR"], state, imageVolume)
	}
	if dir := env["BATON_SETTINGS_DIR"]; dir != "" {
		if secret := mounted[dir].Secret; secret == nil || len(secret.Items) > 0 || secret.Optional != nil {
			t.Errorf("the settings are in %s, where not the whole Secret is mounted: %+v", dir, secret)
		}
	}
	for name, value := range env {
		if strings.HasSuffix(name, "_FILE") {
			if _, ok := mounted[filepath.Dir(value)]; !ok {
				t.Errorf("%s is %s, and nothing is mounted there", name, value)
			}
		}
	}
}

// checkHealth checks that the probes reach the health check.
func checkHealth(t *testing.T, c corev1.Container, env map[string]string, exposed string) {
	t.Helper()
	if env["BATON_HEALTH_CHECK"] != "true" {
		t.Error("the health check is off")
	}
	if bind, ok := env["BATON_HEALTH_CHECK_BIND_ADDRESS"]; ok {
		t.Errorf("the health check listens at %q, where the kubelet does not reach it", bind)
	}
	port := cmp.Or(env["BATON_HEALTH_CHECK_PORT"], strings.TrimSuffix(exposed, "/tcp"))
	if len(c.Ports) != 1 || fmt.Sprint(c.Ports[0].ContainerPort) != port || c.Ports[0].Name != "health" {
		t.Errorf("ports %+v, health check at %s", c.Ports, port)
	}
	for name, probe := range map[string]struct {
		*corev1.Probe
		path string
	}{"startup": {c.StartupProbe, "/live"}, "liveness": {c.LivenessProbe, "/live"}, "readiness": {c.ReadinessProbe, "/ready"}} {
		if probe.Probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != probe.path || probe.HTTPGet.Port != intstr.FromString("health") {
			t.Errorf("%s probe: %+v", name, probe.Probe)
		}
	}
}

// checkBudget checks that a budget applies to the workload, and lets a node be drained.
func checkBudget(t *testing.T, m *manifests, w workload) {
	t.Helper()
	if len(m.budgets) != 1 {
		t.Fatalf("%d pod disruption budgets", len(m.budgets))
	}
	selector, err := metav1.LabelSelectorAsSelector(m.budgets[0].Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(w.pod.Labels)) || m.budgets[0].Spec.MaxUnavailable == nil {
		t.Errorf("budget %+v (%v)", m.budgets[0].Spec, err)
	}
}

// checkNetwork checks that a policy allows exactly the needed connections.
func checkNetwork(t *testing.T, policy networkingv1.NetworkPolicy, w workload) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil || !selector.Matches(labels.Set(w.pod.Labels)) || len(policy.Spec.PolicyTypes) != 2 {
		t.Errorf("policy %+v (%v)", policy.Spec, err)
	}
	var out []string
	for _, rule := range policy.Spec.Egress {
		for _, p := range rule.Ports {
			out = append(out, fmt.Sprintf("%s %s", *p.Protocol, p.Port))
		}
	}
	if slices.Sort(out); !slices.Equal(out, []string{"TCP 443", "TCP 53", "UDP 53"}) {
		t.Errorf("it lets out %q", out)
	}
	if len(policy.Spec.Ingress) != 1 || policy.Spec.Ingress[0].Ports[0].Port.String() != "health" {
		t.Errorf("it lets in %+v", policy.Spec.Ingress)
	}
}

// read reads a file of this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(b, []byte("\r"), nil))
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("it needs %s: %v", name, err)
	}
	return path
}
