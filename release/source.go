package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// source is the source of a release: a checkout and its version.
type source struct {
	root, version, commit, url string
	epoch                      int64
	dirty                      bool
}

func (s source) when() time.Time { return time.Unix(s.epoch, 0).UTC() }

var semver = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// resolve fills in values from git. Outside a checkout all of them must be given.
func (s *source) resolve(ctx context.Context) error {
	if !semver.MatchString(s.version) {
		return fmt.Errorf("%q is not a version; give one like -version v0.1.0", s.version)
	}
	if text := os.Getenv("SOURCE_DATE_EPOCH"); s.epoch == 0 && text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		s.epoch = n
	}
	if s.commit != "" && s.epoch != 0 {
		return nil
	}
	out, err := output(ctx, s.root, nil, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return fmt.Errorf("no commit found; give -commit and -epoch: %w", err)
	}
	hash, seconds, _ := strings.Cut(strings.TrimSpace(out), " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	s.commit, s.epoch = cmp.Or(s.commit, hash), cmp.Or(s.epoch, n)
	changed, err := output(ctx, s.root, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" && !s.dirty {
		return fmt.Errorf("the checkout differs from commit %s; commit or stash these changes, or give -dirty:\n%s", s.commit, changed)
	}
	return nil
}

// programs returns all programs, or those named in only.
func (s source) programs(only string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, "cmd"))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, e.Name())
		}
	}
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, n := range names {
		if !slices.Contains(all, n) {
			return nil, fmt.Errorf("there is no program %s; there are %s", n, strings.Join(all, ", "))
		}
	}
	return names, nil
}

func (s source) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(s.root, name))
	if err != nil {
		panic(err) // the checkout is not whole
	}
	return data
}

func (s source) licence() []byte { return s.read("LICENSE") }

// platform is the operating system and architecture of a binary.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

func platforms() []platform {
	return []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"}}
}

func parsePlatforms(text string) ([]platform, error) {
	if text == "" {
		return platforms(), nil
	}
	var list []platform
	for _, t := range strings.Split(text, ",") {
		i := slices.IndexFunc(platforms(), func(p platform) bool { return p.String() == t })
		if i < 0 {
			return nil, fmt.Errorf("%q is not one of the platforms %v", t, platforms())
		}
		list = append(list, platforms()[i])
	}
	return list, nil
}

// binary is a program built for a platform.
type binary struct {
	program  string
	platform platform
	data     []byte
	info     *buildinfo.BuildInfo
	modules  []module // the modules in it, the standard library first
}

// binary builds a program. The result does not depend on the environment, the folder or the time.
func (s source) binary(ctx context.Context, program string, p platform) (*binary, error) {
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	goroot, err := output(ctx, s.root, goEnv(host()), "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	// The overlay does not depend on the platform, and the program that writes it runs here.
	if _, err := output(ctx, s.root, goEnv(host()), "go", "run", "./internal/overlay", strings.TrimSpace(goroot), dir); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, program)
	args := []string{"build", "-tags", buildTags, "-overlay", filepath.Join(dir, "overlay.json"), "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version=" + s.version, "-o", name}
	for _, library := range small {
		args = append(args, "-gcflags="+library+"=-l")
	}
	if _, err := output(ctx, s.root, goEnv(p), "go", append(args, "./cmd/"+program)...); err != nil {
		return nil, err
	}
	b := &binary{program: program, platform: p}
	if b.data, err = os.ReadFile(name); err != nil {
		return nil, err
	}
	if b.info, err = buildinfo.Read(bytes.NewReader(b.data)); err != nil {
		return nil, err
	}
	b.modules, err = s.modules(ctx, b)
	return b, err
}

// buildTags and small are those of the Makefile, which explains them.
const buildTags = "grpcnotrace"

var small = []string{"github.com/cockroachdb/...", "cel.dev/...", "github.com/antlr4-go/...", "google.golang.org/...", "github.com/gogo/...", "github.com/prometheus/...",
	"go.opentelemetry.io/...", "go.yaml.in/...", "github.com/spf13/...", "golang.org/x/net/...", "text/template/...", "html/template", "net/http",
	"baton/console/web", "baton/console/api", "baton/console/cli",
	"baton/console/server", "baton/console/config", "baton/console/installation", "baton/console/scim", "baton/console/siem", "baton/console/webhook", "baton/console/notify",
	"baton/console/mail", "baton/console/telemetry",
	"baton/console/govern", "baton/console/approve", "baton/console/worker", "baton/console/findings",
	"baton/sandbox/...", "github.com/go-jose/...", "github.com/wneessen/...", "crypto/x509", "encoding/xml", "github.com/minio/...", "github.com/getsentry/...", "github.com/robfig/..."}

// goEnv returns the environment of a build for a platform.
func goEnv(p platform) []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "CGO_") && !slices.Contains([]string{"GOFLAGS", "GOEXPERIMENT", "GODEBUG", "GOWORK"}, name) {
			env = append(env, v)
		}
	}
	return append(env, "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
}

func host() platform { return platform{runtime.GOOS, runtime.GOARCH} }

// output runs a program and returns its standard output. The error contains its standard error.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}
