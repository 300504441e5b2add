package web

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"baton"
	"baton/console/govern"
)

// TestSnippets checks the configuration after a rotation: consistent manifests, the variables of the
// product, and the certificate authority of the console in each.
func TestSnippets(t *testing.T) {
	const ca = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----\n"
	product := govern.Product{Name: "perplexity", Settings: []baton.Setting{{Name: "scim-token", DisplayName: "SCIM Token", Required: true, Kind: baton.SecretSetting},
		{Name: "scim-url", DisplayName: "SCIM URL", Required: true}, {Name: "page-size", Advanced: true}}, Provisions: true}
	rotated := govern.Rotated{ClientID: "quick-fox-1@console.example.com/baton", Secret: baton.NewSecret("secret-token:console.example.com:v1:abc")}
	for _, tt := range []struct {
		product govern.Product
		ca      string
		binary  string
	}{{product, "", "baton-perplexity"}, {product, ca, "baton-perplexity"}, {govern.Generic, ca, "baton-NAME"}} {
		byTitle := map[string]string{}
		for _, s := range snippets(tt.product, rotated, tt.ca) {
			byTitle[s.Title] = s.Text
		}
		if got := byTitle["baton-ca.pem"]; strings.TrimSpace(got) != strings.TrimSpace(tt.ca) {
			t.Errorf("baton-ca.pem %q", got)
		}
		var secret, configMap struct {
			Metadata   struct{ Name string }
			StringData map[string]string `yaml:"stringData"`
			Data       map[string]string
		}
		d := yaml.NewDecoder(strings.NewReader(byTitle[tt.binary+"-secrets.yaml"]))
		if err := d.Decode(&secret); err != nil || secret.Metadata.Name != tt.binary+"-secrets" {
			t.Fatalf("the Secret: %+v, %v", secret, err)
		}
		want := map[string]string{"BATON_CLIENT_ID": rotated.ClientID, "BATON_CLIENT_SECRET": rotated.Secret.Reveal()}
		if tt.binary == "baton-perplexity" {
			want["BATON_SCIM_TOKEN"], want["BATON_SCIM_URL"] = "<SCIM Token>", "<SCIM URL>"
			want["BATON_PROVISIONING"] = "true"
		}
		if !reflect.DeepEqual(secret.StringData, want) {
			t.Errorf("the Secret holds %v", secret.StringData)
		}
		if tt.ca != "" {
			if err := d.Decode(&configMap); err != nil || strings.TrimSpace(configMap.Data["ca.pem"]) != strings.TrimSpace(tt.ca) {
				t.Errorf("the ConfigMap: %+v, %v", configMap, err)
			}
		}
		for _, title := range []string{tt.binary + ".yaml", tt.binary + "-statefulset.yaml"} {
			var w struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					Selector struct {
						MatchLabels map[string]string `yaml:"matchLabels"`
					}
					Template struct {
						Metadata struct{ Labels map[string]string }
						Spec     struct {
							Containers []struct {
								Name    string
								Env     []struct{ Name, Value string }
								EnvFrom []struct {
									SecretRef struct{ Name string } `yaml:"secretRef"`
								} `yaml:"envFrom"`
								VolumeMounts []struct {
									Name, MountPath string
								} `yaml:"volumeMounts"`
							}
							Volumes []struct {
								ConfigMap struct{ Name string } `yaml:"configMap"`
							}
						}
					}
					VolumeClaimTemplates []struct{} `yaml:"volumeClaimTemplates"`
				}
			}
			if err := yaml.Unmarshal([]byte(byTitle[title]), &w); err != nil {
				t.Fatalf("%s: %v\n%s", title, err, byTitle[title])
			}
			labels := map[string]string{"app": tt.binary, "baton": "true", "baton-app": strings.TrimPrefix(tt.binary, "baton-")}
			pod := w.Spec.Template.Spec
			if !reflect.DeepEqual(w.Spec.Template.Metadata.Labels, labels) || w.Spec.Selector.MatchLabels["app"] != tt.binary || len(pod.Containers) != 1 {
				t.Fatalf("%s: %+v", title, w)
			}
			c := pod.Containers[0]
			names := map[string]string{}
			for _, e := range c.Env {
				names[e.Name] = e.Value
			}
			if len(c.EnvFrom) != 1 || c.EnvFrom[0].SecretRef.Name != secret.Metadata.Name {
				t.Errorf("%s takes its variables from %+v", title, c.EnvFrom)
			}
			if _, ok := names["BATON_HOST_ID"]; !ok {
				t.Errorf("%s sets no host id", title)
			}
			if trusts := len(pod.Volumes) == 1 && pod.Volumes[0].ConfigMap.Name == tt.binary+"-ca" && names["SSL_CERT_FILE"] == "/etc/baton/ca/ca.pem"; trusts != (tt.ca != "") {
				t.Errorf("%s trusts the console: %v\n%s", title, trusts, byTitle[title])
			}
			if stateful := strings.Contains(title, "stateful"); stateful != (len(w.Spec.VolumeClaimTemplates) == 1 && names["BATON_C1Z_TEMP_DIR"] == "/data") {
				t.Errorf("%s: a volume for what is kept: %v", title, !stateful)
			}
		}
		sh := exec.Command("sh", "-eu", "-c", byTitle["Environment"]+`printf '%s %s' "$BATON_CLIENT_ID" "${SSL_CERT_FILE:-}"`)
		sh.Dir, sh.Env = "/", []string{}
		out, err := sh.CombinedOutput()
		if trust := map[bool]string{true: "//baton-ca.pem"}[tt.ca != ""]; err != nil || string(out) != rotated.ClientID+" "+trust {
			t.Errorf("the shell says %q, %v", out, err)
		}
		for _, title := range []string{"docker run", "/etc/baton/" + strings.TrimPrefix(tt.binary, "baton-") + ".env"} {
			if strings.Contains(byTitle[title], "SSL_CERT_FILE") != (tt.ca != "") {
				t.Errorf("%s and the certificate authority:\n%s", title, byTitle[title])
			}
		}
		if unit := byTitle["/etc/systemd/system/"+tt.binary+".service"]; !strings.Contains(unit, "EnvironmentFile=/etc/baton/"+strings.TrimPrefix(tt.binary, "baton-")+".env\n") {
			t.Errorf("the unit:\n%s", unit)
		}
	}
}
