package deploy

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestSeedManifests checks the manifests against the connector pages: the same Secret, Deployment, names and
// labels. The StatefulSet is the same pod with a volume.
func TestSeedManifests(t *testing.T) {
	for name, own := range map[string][]string{
		"perplexity": {"BATON_SCIM_TOKEN", "BATON_SCIM_URL", "BATON_PROVISIONING"},
		"percipio":   {"BATON_API_TOKEN", "BATON_ORGANIZATION_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			p := programs[name]
			text := read(t, "kubernetes/baton-"+name+"-secrets.yaml")
			secrets, err := decode(text)
			if err != nil {
				t.Fatal(err)
			}
			if len(secrets.secrets) != 1 {
				t.Fatalf("%d secrets", len(secrets.secrets))
			}
			secret := secrets.secrets[0]
			var keys []string
			for key := range secret.StringData {
				p.knows(t, "secret", key)
				keys = append(keys, key)
			}
			for _, key := range append(own, "BATON_CLIENT_ID", "BATON_CLIENT_SECRET") {
				if !slices.Contains(keys, key) {
					t.Errorf("the secret lacks %s", key)
				}
			}
			for line := range strings.Lines(text) {
				if key, _, ok := strings.Cut(strings.TrimLeft(line, " #"), ": "); ok && strings.HasPrefix(key, "BATON_") {
					p.knows(t, "secret", key)
				}
			}
			network, err := decode(read(t, "kubernetes/baton-networkpolicy.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			pods := map[string]string{}
			for kind, file := range map[string]string{"Deployment": "", "StatefulSet": "-statefulset"} {
				m, err := decode(read(t, "kubernetes/baton-"+name+file+".yaml"))
				if err != nil {
					t.Fatal(err)
				}
				w := m.workload(t)
				env, from := checkWorkload(t, p, w)
				if from != secret.Name || from != "baton-"+name+"-secrets" {
					t.Errorf("the %s reads the secret %q, and there is %q", kind, from, secret.Name)
				}
				for key := range secret.StringData {
					if _, both := env[key]; both {
						t.Errorf("%s is set beside the secret, which would lose", key)
					}
				}
				if w.kind != kind || w.Name != "baton-"+name || w.Labels["app"] != w.Name || deref(w.replicas) != 1 {
					t.Errorf("%s %s, %v, %d replicas", w.kind, w.Name, w.Labels, deref(w.replicas))
				}
				if image := w.pod.Spec.Containers[0].Image; !strings.HasPrefix(image, "registry.example/") {
					t.Errorf("the image %s may be somebody's", image)
				}
				checkNetwork(t, network.policies[0], w)
				w.pod.Spec.Volumes = nil // one has them elsewhere
				pod, err := yaml.Marshal(w.pod)
				if err != nil {
					t.Fatal(err)
				}
				pods[kind] = string(pod)
			}
			if pods["Deployment"] != pods["StatefulSet"] {
				t.Errorf("the pods differ in more than the volume:\n%s\n%s", pods["Deployment"], pods["StatefulSet"])
			}
		})
	}
}

// TestDecodingIsStrict refuses everything that an API server refuses or silently ignores.
func TestDecodingIsStrict(t *testing.T) {
	good := read(t, "kubernetes/baton-percipio-statefulset.yaml")
	for name, edit := range map[string][2]string{
		"a label that is no string": {`baton: "true"`, `baton: true`},
		"a field that is not there": {"automountServiceAccountToken", "automountServiceAccountTokens"},
		"a field twice":             {"  replicas: 1\n", "  replicas: 1\n  replicas: 3\n"},
		"another kind of value":     {"failureThreshold: 30", "failureThreshold: thirty"},
		"no quantity":               {"memory: 256Mi", "memory: 256 MB"},
		"a claim's field misspelt":  {"accessModes", "accessMode"},
		"an unknown kind":           {"kind: StatefulSet", "kind: StatefullSet"},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := decode(bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
