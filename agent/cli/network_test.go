package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"baton"
)

// TestProxyVariables: a proxy setting that the libraries would ignore is an error that names the variable and
// does not show its value.
func TestProxyVariables(t *testing.T) {
	for value, says := range map[string]string{
		"http://proxy:3128":                      "",
		"proxy:3128":                             "",
		"proxy.example":                          "",
		"HTTP://proxy:3128/":                     "",
		"https://user:pa%25ss@proxy.example":     "",
		"http://user:p@ss@proxy:3128":            "",
		"socks5://127.0.0.1:1080":                "",
		"socks5h://proxy":                        "",
		"http://[2001:db8::1]:3128":              "",
		"http://user:pa%ss@proxy:3128":           "is not the address of a proxy",
		"user:pa%ss@proxy:3128":                  "is not the address of a proxy",
		"http://user:pa#ss@proxy:3128":           "is not the address of a proxy",
		"http://user:12#ss@proxy:3128":           "after host and port",
		"http://user:12/ss@proxy:3128":           "after host and port",
		"http://user:12?ss@proxy:3128":           "after host and port",
		"http://proxy:3128\n":                    "ends with a blank or a line break",
		" http://proxy:3128":                     "begins with a blank",
		"http://user:pass@pro\nxy:3128":          "a line break",
		"http://user:pa ss@proxy:3128":           "a blank or a line break",
		" ":                                      "only blanks",
		`"http://proxy:3128"`:                    "contains a quote",
		"http:/proxy:3128":                       "after host and port",
		"http://http://proxy:3128":               "after host and port",
		"http://":                                "is not the address of a proxy",
		"http://proxy:99999":                     "is not the address of a proxy",
		"http://proxy:port":                      "is not the address of a proxy",
		"socks4://proxy:1080":                    `begins with "socks4://"`,
		"ftp://user:secretpass@proxy":            `begins with "ftp://"`,
		"PROXY proxy.example:3128; DIRECT":       "a blank or a line break",
		"http://user:secretpass@proxy:3128/path": "after host and port",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
			err := checkNetwork(map[string]string{name: value})
			if says == "" {
				if err != nil {
					t.Errorf("%s=%q: %v", name, value, err)
				}
				continue
			}
			if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), name+" ") || !strings.Contains(err.Error(), says) || baton.FixOf(err) == "" {
				t.Errorf("%s=%q: %v, want %q", name, value, err, says)
			}
			if err != nil && (strings.Contains(err.Error(), "ss@") || strings.Contains(err.Error(), "secretpass")) {
				t.Errorf("%s: the error shows the password: %v", name, err)
			}
		}
	}
	if err := checkNetwork(map[string]string{"HTTPS_PROXY": "http://proxy:3128", "ALL_PROXY": "socks4://proxy"}); err != nil {
		t.Errorf("ALL_PROXY beside HTTPS_PROXY: %v", err)
	}
}

// TestRoute: a variable that is meant for this host but not applied to it is an error.
func TestRoute(t *testing.T) {
	const host = "scim.acme.example"
	for name, tt := range map[string]struct {
		env  map[string]string
		host string
		says string
	}{
		"nothing":                       {nil, host, ""},
		"all proxy":                     {map[string]string{"ALL_PROXY": "socks5://proxy:1"}, host, "ALL_PROXY is set and is not read"},
		"all proxy, lower case":         {map[string]string{"all_proxy": "socks5://proxy:1"}, host, "all_proxy is set and is not read"},
		"all proxy to loopback":         {map[string]string{"ALL_PROXY": "socks5://proxy:1"}, "127.0.0.1", ""},
		"all proxy, not for this host":  {map[string]string{"ALL_PROXY": "socks5://proxy:1", "NO_PROXY": ".acme.example"}, host, ""},
		"all proxy beside the other":    {map[string]string{"ALL_PROXY": "socks5://proxy:1", "https_proxy": "http://p"}, host, ""},
		"usual exceptions":              {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "localhost, 10.0.0.0/8,.svc,*.acme.example,a.b:80"}, host, ""},
		"all exceptions":                {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, host, ""},
		"odd, about others":             {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "10.*,localhost;127.0.0.1,https://other.example"}, host, ""},
		"semicolons":                    {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "localhost;scim.acme.example"}, host, `NO_PROXY has "localhost;scim.acme.example"`},
		"blanks":                        {map[string]string{"HTTPS_PROXY": "http://p", "no_proxy": "localhost acme.example"}, host, "no_proxy has"},
		"with a scheme":                 {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "https://scim.acme.example/v2"}, host, "NO_PROXY has"},
		"a star inside":                 {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "scim.*.example"}, host, "NO_PROXY has"},
		"a star without a dot":          {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "*acme.example"}, host, "NO_PROXY has"},
		"a dot at the end":              {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "acme.example."}, host, "NO_PROXY has"},
		"a star of addresses":           {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "10.1.*"}, "10.1.2.3", "NO_PROXY has"},
		"a network":                     {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "10.1.0.0/16"}, "10.1.2.3", ""},
		"an address":                    {map[string]string{"HTTPS_PROXY": "http://p", "NO_PROXY": "[2001:db8::1]:443"}, "2001:db8::1", ""},
		"the domain's own name differs": {map[string]string{"ALL_PROXY": "socks5://proxy:1", "NO_PROXY": ".scim.acme.example"}, host, "ALL_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkRoute(tt.env, tt.host)
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), tt.says) || baton.FixOf(err) == ""):
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// TestAuthorityVariables: unreadable certificate authorities are an error.
func TestAuthorityVariables(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the variables are not read here")
	}
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		variable, value, says string
	}{
		"no file":        {"SSL_CERT_FILE", filepath.Join(dir, "no.pem"), "SSL_CERT_FILE: open"},
		"no certificate": {"SSL_CERT_FILE", empty, "holds no certificate"},
		"no folder":      {"SSL_CERT_DIR", filepath.Join(dir, "no"), "SSL_CERT_DIR: open"},
		"empty folder":   {"SSL_CERT_DIR", dir, "holds a certificate"},
	} {
		err := checkNetwork(map[string]string{tt.variable: tt.value})
		if baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), tt.says) || baton.FixOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
