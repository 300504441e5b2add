package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/segmentio/ksuid"

	"baton"
	"baton/c1z/writer"
	"baton/console"
	"baton/console/cli"
	"baton/console/config"
	"baton/console/evidence"
	"baton/console/evidence/evidencetest"
	"baton/console/installation"
	"baton/console/store"
	"baton/test/script"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"baton-console": func() { os.Exit(cli.Main(cli.Program{Version: "v1.2.3"})) }})
}

// TestScripts runs the command lines in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": script.Exits, "tenant": writeTenant, "bootstrap": bootstrap, "alter": alter, "pack": writePack, "flip": flip},
	})
}

// bootstrap creates a console in a folder from a file: "bootstrap FOLDER FILE".
func bootstrap(ts *testscript.TestScript, _ bool, args []string) {
	in, err := installation.Open(context.Background(), installation.Config{Data: ts.MkAbs(args[0]), Create: true})
	ts.Check(err)
	f, err := config.Read(ts.MkAbs(args[1]), time.Minute, nil)
	if err == nil {
		_, _, err = f.Apply(context.Background(), in.Store, console.By{At: time.Now(), Actor: console.Console}, config.Options{Source: console.BootstrapSource})
	}
	ts.Check(errors.Join(err, in.Close()))
}

// alter changes an event directly in the database: "alter FOLDER NUMBER".
func alter(ts *testscript.TestScript, _ bool, args []string) {
	in, err := installation.Open(context.Background(), installation.Config{Data: ts.MkAbs(args[0])})
	ts.Check(err)
	number, err := strconv.Atoi(args[1])
	ts.Check(err)
	err = in.Store.Update(context.Background(), console.By{At: time.Now(), Actor: console.Console}, func(t *store.Tx) error {
		_, err := t.Engine().Exec("UPDATE event SET actor = 'person:nobody' WHERE number = $1", number)
		return err
	})
	ts.Check(errors.Join(err, in.Close()))
}

// writePack writes a pack, the head of its chain, and a pack without the last event, and sets the
// fingerprint of its key: "pack FILE HEAD SHORT".
func writePack(ts *testscript.TestScript, _ bool, args []string) {
	build := func(path string, src evidence.Source) {
		f, err := os.Create(ts.MkAbs(path))
		if err == nil {
			_, _, err = evidence.Build(context.Background(), f, src, evidencetest.Key)
		}
		ts.Check(errors.Join(err, f.Close()))
	}
	whole := evidencetest.Made{N: 12}
	build(args[0], whole)
	about, err := whole.Review()
	ts.Check(err)
	head, err := json.Marshal(about.Head)
	ts.Check(errors.Join(err, os.WriteFile(ts.MkAbs(args[1]), head, 0o600)))
	build(args[2], evidencetest.CutOff{Made: whole, First: len(whole.Chain()) - 1})
	ts.Setenv("FINGERPRINT", evidencetest.Fingerprint)
	ts.Setenv("OTHER", "SHA256:"+strings.Repeat("AB", 32))
	ts.Setenv("SHORT", "SHA256:AB")
}

// flip changes the first byte of a text in a file: "flip FILE TEXT".
func flip(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at := bytes.Index(b, []byte(args[1]))
	if at < 0 {
		ts.Fatalf("%s is not in %s", args[1], args[0])
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// writeTenant writes a sync that began a number of minutes after noon: "tenant FILE 10 full
// u1=ana,u2=ben admins=u1 staff=u1,u2". The first list has the accounts, the others the groups with
// their members.
func writeTenant(ts *testscript.TestScript, _ bool, args []string) {
	minutes, err := strconv.Atoi(args[1])
	if err == nil {
		err = writeSync(ts.MkAbs(args[0]), noon.Add(time.Duration(minutes)*time.Minute), args[2], args[3], args[4:]...)
	}
	ts.Check(err)
}

func writeSync(path string, began time.Time, syncType, accounts string, groups ...string) error {
	id, err := ksuid.FromParts(began, bytes.Repeat([]byte{1}, 16))
	if err != nil {
		return err
	}
	os.Remove(path)
	w, err := writer.Create(path, writer.Options{SyncID: id.String(), SyncType: syncType, Started: began})
	if err != nil {
		return err
	}
	add := func(r writer.Row, e error) {
		if err == nil {
			err = e
		}
		if err == nil {
			err = w.Add(r)
		}
	}
	user := baton.ResourceType{ID: "user", DisplayName: "User", Traits: []baton.Trait{baton.TraitUser}}
	add(writer.ResourceTypeRow(user))
	add(writer.ResourceTypeRow(baton.ResourceType{ID: "group", DisplayName: "Group", Traits: []baton.Trait{baton.TraitGroup}}))
	for _, account := range strings.Split(accounts, ",") {
		id, login, _ := strings.Cut(account, "=")
		add(writer.ResourceRow(baton.Resource{ID: baton.ResourceID{Type: "user", ID: id}, DisplayName: strings.ToUpper(login), Status: baton.StatusEnabled,
			User: &baton.User{Login: login, Emails: []baton.Email{{Address: login + "@example.test", Primary: true}}}}))
	}
	for _, g := range groups {
		name, members, _ := strings.Cut(g, "=")
		group := baton.ResourceID{Type: "group", ID: name}
		member := baton.EntitlementID{Resource: group, Slug: "member"}
		add(writer.ResourceRow(baton.Resource{ID: group, DisplayName: name, Group: &baton.Group{}}))
		add(writer.EntitlementRow(baton.Entitlement{ID: member, DisplayName: name + " member", Purpose: baton.PurposeAssignment, GrantableTo: []string{"user"}}, []baton.ResourceType{user}))
		for _, m := range strings.FieldsFunc(members, func(r rune) bool { return r == ',' }) {
			add(writer.GrantRow(baton.Grant{ID: baton.GrantID{Entitlement: member, Principal: baton.ResourceID{Type: "user", ID: m}}}))
		}
	}
	if err != nil {
		return err
	}
	if _, err := w.Seal(context.Background(), began.Add(time.Minute)); err != nil {
		return err
	}
	return nil
}

// TestInspectRecorded prints the facts of recorded files of every version, and compares them with
// the output of the official programs.
func TestInspectRecorded(t *testing.T) {
	found := 0
	for _, dir := range []string{"c1z-forms", "c1z-v3"} {
		files, err := filepath.Glob(filepath.Join("../../../shared/recorded", dir, "*.facts"))
		if err != nil {
			t.Fatal(err)
		}
		for _, facts := range files {
			found++
			t.Run(strings.TrimSuffix(filepath.Base(facts), ".facts"), func(t *testing.T) {
				want, err := os.ReadFile(facts)
				if err != nil {
					t.Fatal(err)
				}
				code := 0
				if string(want) == "refused\n" {
					code = 15
					if strings.HasSuffix(facts, "damaged-engine.facts") {
						code = 12
					}
				}
				var stdout, stderr bytes.Buffer
				if got := cli.Run(t.Context(), cli.Program{}, []string{"inspect", "--facts", strings.TrimSuffix(facts, ".facts") + ".c1z"}, nil, &stdout, &stderr); got != code {
					t.Errorf("exit code %d, want %d: %s", got, code, &stderr)
				}
				if stdout.String() != string(want) {
					t.Errorf("other facts; %d bytes and want %d", stdout.Len(), len(want))
				}
				if (stderr.Len() > 0) != (code != 0) {
					t.Errorf("stderr: %s", &stderr)
				}
			})
		}
	}
	if found == 0 {
		t.Skip("the recorded files are not here")
	}
	if found < 15 {
		t.Errorf("only %d files", found)
	}
}
