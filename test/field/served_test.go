package field

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"baton/console/rpc/rpctest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
)

// service is a connector in service mode with the control plane that gives it tasks.
type service struct {
	t      *testing.T
	plane  *rpctest.Server
	stderr *bytes.Buffer
}

// serve starts the program in service mode, until the test ends.
func (p *program) serve(t *testing.T) *service {
	t.Helper()
	plane, err := rpctest.Listen(t.Context(), rpctest.Config{Dir: t.TempDir(), Poll: 20 * time.Millisecond, Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plane.Close() })
	id, secret, err := plane.Issue(t.Context(), p.name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(*binaries, p.name))
	cmd.Dir = p.dir
	cmd.Env = append([]string{"HOME=" + p.dir, "TMPDIR=" + p.dir, "BATON_CLIENT_ID=" + id, "BATON_CLIENT_SECRET=" + secret.Reveal(),
		"BATON_CA_FILE=" + plane.CAFile, "BATON_C1Z_TEMP_DIR=" + p.dir, "BATON_HOST_ID=pod-0", "BATON_PROVISIONING=true"}, p.env...)
	s := &service{t: t, plane: plane, stderr: &bytes.Buffer{}}
	cmd.Stderr = s.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		ended := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		ended.Stop()
		if t.Failed() {
			log := s.stderr.String()
			t.Logf("the end of the service's log:\n%s", log[max(0, len(log)-4000):])
		}
	})
	return s
}

// task runs a task and returns the result.
func (s *service) task(name string, work *batonv1.Task) rpctest.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	id, err := s.plane.Enqueue(ctx, name, work)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.plane.Wait(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *service) sync() rpctest.Result {
	return s.task("baton-perplexity", &batonv1.Task{TaskType: &batonv1.Task_SyncFull{SyncFull: &batonv1.Task_SyncFullTask{}}})
}

func (s *service) grant(group, user string) rpctest.Result {
	return s.task("baton-perplexity", &batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{
		Entitlement: entitlement(group), Principal: principal(user)}}})
}

func (s *service) revoke(group, user string) rpctest.Result {
	return s.task("baton-perplexity", &batonv1.Task{TaskType: &batonv1.Task_Revoke{Revoke: &batonv1.Task_RevokeTask{Grant: &connectorv2.Grant{
		Id: "group:" + group + ":member:user:" + user, Entitlement: entitlement(group), Principal: principal(user)}}}})
}

func (s *service) action(name, user string) rpctest.Result {
	args, _ := structpb.NewStruct(map[string]any{"user_id": user}) // a string is always valid
	return s.task("baton-perplexity", &batonv1.Task{TaskType: &batonv1.Task_ActionInvoke{ActionInvoke: &batonv1.Task_ActionInvokeTask{Name: name, Args: args}}})
}

func (s *service) create(email, name string) rpctest.Result {
	profile, _ := structpb.NewStruct(map[string]any{"display_name": name}) // a string is always valid
	return s.task("baton-perplexity", &batonv1.Task{TaskType: &batonv1.Task_CreateAccount{CreateAccount: &batonv1.Task_CreateAccountTask{
		AccountInfo: &connectorv2.AccountInfo{Emails: []*connectorv2.AccountInfo_Email{{Address: email, IsPrimary: true}}, Login: email, Profile: profile},
		CredentialOptions: &connectorv2.CredentialOptions{Options: &connectorv2.CredentialOptions_NoPassword_{
			NoPassword: &connectorv2.CredentialOptions_NoPassword{}}},
		ResourceTypeId: "user"}}})
}

func entitlement(group string) *connectorv2.Entitlement {
	return &connectorv2.Entitlement{Id: "group:" + group + ":member", Slug: "member",
		Resource: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "group", Resource: group}}}
}

func principal(user string) *connectorv2.Resource {
	return &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "user", Resource: user}}
}

// taskFails checks that a task failed, and that the answer to C1 says so without a claim of success.
func taskFails(t *testing.T, r rpctest.Result, says ...string) {
	t.Helper()
	message := fmt.Sprint(r.Status.GetMessage(), r.Response)
	if r.OK() {
		t.Errorf("C1 gets success: %s", message)
	}
	for _, text := range says {
		if !strings.Contains(message, text) {
			t.Errorf("C1 does not get %q: %s", text, message)
		}
	}
}

func taskSucceeds(t *testing.T, r rpctest.Result) {
	t.Helper()
	if !r.OK() {
		t.Errorf("the task fails: %v", r.Status)
	}
}

// already reports whether the answer to C1 says that there was nothing to do.
func already(r rpctest.Result) bool {
	for _, a := range r.Annotations {
		if strings.Contains(a.GetTypeUrl(), "Already") {
			return true
		}
	}
	return false
}
