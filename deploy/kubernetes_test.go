package deploy

import (
	"slices"
	"strings"
	"testing"
)

// TestSeedManifests goes the way of the connector pages: the Secret, the Deployment, the
// names and labels that they have there.
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
			main, err := decode(read(t, "kubernetes/baton-"+name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if len(secrets.secrets) != 1 || len(main.deployments) != 1 {
				t.Fatalf("%d secrets, %d deployments", len(secrets.secrets), len(main.deployments))
			}
			secret, deployment := secrets.secrets[0], main.deployments[0]
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
			env, from := checkDeployment(t, p, deployment)
			if from != secret.Name || from != "baton-"+name+"-secrets" {
				t.Errorf("the deployment reads the secret %q, and there is %q", from, secret.Name)
			}
			for key := range secret.StringData {
				if _, both := env[key]; both {
					t.Errorf("%s is set beside the secret, which would lose", key)
				}
			}
			if deployment.Name != "baton-"+name || deployment.Labels["app"] != deployment.Name || *deployment.Spec.Replicas != 2 {
				t.Errorf("%s, %v, %d replicas", deployment.Name, deployment.Labels, *deployment.Spec.Replicas)
			}
			image := deployment.Spec.Template.Spec.Containers[0].Image
			if !strings.Contains(image, "/baton-"+name+":v") || strings.HasSuffix(image, ":latest") {
				t.Errorf("image %s", image)
			}
			checkBudget(t, main, deployment)
			network, err := decode(read(t, "kubernetes/baton-networkpolicy.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			checkNetwork(t, network.policies[0], deployment)
		})
	}
}

// TestDecodingIsStrict refuses what an API server refuses, or passes over in silence.
func TestDecodingIsStrict(t *testing.T) {
	good := read(t, "kubernetes/baton-percipio.yaml")
	for name, edit := range map[string][2]string{
		"a label that is no string": {`baton: "true"`, `baton: true`},
		"a field that is not there": {"automountServiceAccountToken", "automountServiceAccountTokens"},
		"a field twice":             {"  replicas: 2\n", "  replicas: 2\n  replicas: 3\n"},
		"another kind of value":     {"failureThreshold: 30", "failureThreshold: thirty"},
		"no quantity":               {"memory: 256Mi", "memory: 256 MB"},
		"an unknown kind":           {"kind: Deployment", "kind: Deploymant"},
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
