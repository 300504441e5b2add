package wire_test

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"baton"
	"baton/wire"
)

// field encodes a field with that number: a text, the bytes of a message, or a number.
func field[T string | []byte | int](number int, value T) []byte {
	switch v := any(value).(type) {
	case int:
		return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number<<3)), uint64(v))
	case string:
		return field(number, []byte(v))
	case []byte:
		head := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number<<3|2)), uint64(len(v)))
		return append(head, v...)
	}
	panic("no such type")
}

func message(fields ...[]byte) []byte { return slices.Concat(fields...) }

// packed encodes an Any.
func packed(name string, fields ...[]byte) []byte {
	a := field(1, "type.googleapis.com/"+name)
	if value := message(fields...); len(value) > 0 {
		a = append(a, field(2, value)...)
	}
	return a
}

const taskID = "3MRTs2TLXE3E2IOdSvsLpc7EVrN"

var (
	from     = message(field(1, "h1"), field(2, taskID)) // host_id, task_id
	groupID  = message(field(1, "group"), field(2, "g1"))
	userID   = message(field(1, "user"), field(2, "u1"))
	memberID = baton.GrantID{Entitlement: baton.EntitlementID{Resource: admin, Slug: "member"}, Principal: ann}
	fly      = baton.Action{Name: "fly", DisplayName: "Fly", Description: "Flies.", Types: []baton.ActionType{baton.ActionAccountDisable},
		Arguments: []baton.Field{{Name: "user_id", DisplayName: "User", Required: true}},
		Returns:   []baton.Field{{Name: "success", DisplayName: "ok", Kind: baton.BoolField}}}
	flySchema = message(field(1, "fly"),
		field(2, message(field(1, "user_id"), field(2, "User"), field(5, 1), field(100, ""))),
		field(4, message(field(1, "success"), field(2, "ok"), field(102, ""))),
		field(5, "Fly"), field(6, "Flies."), field(7, "\x04"))
	flown = field(1, message(field(1, "success"), field(2, field(4, 1)))) // the Struct {"success": true}
)

func ok[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestCallBytes fixes the bytes of calls that are not answers.
func TestCallBytes(t *testing.T) {
	must := ok[[]byte](t)
	host := wire.Host{ID: "h1", GoVersion: "go1", Package: "p", PackageVersion: "v1", Hostname: "a", OS: "b", Platform: "c",
		PlatformVersion: "d", PlatformFamily: "e", KernelVersion: "f", KernelArch: "g", Virtualization: "h"}
	connector := &baton.Connector{DisplayName: "P", HelpURL: "https://x", Description: "D",
		ResourceTypes: []baton.ResourceType{{ID: "user", Provision: true}},
		Account: &baton.AccountCreation{ResourceType: "user", Fields: []baton.Field{
			{Name: "n", DisplayName: "N", Required: true, Description: "d", Placeholder: "p"},
			{Name: "b", Kind: baton.BoolField}, {Name: "i", Kind: baton.IntField}, {Name: "l", Kind: baton.StringsField}}}}
	accountField := func(name string, fields ...[]byte) []byte {
		return field(1, message(field(1, name), field(2, message(fields...))))
	}
	hello := message(from,
		field(3, message(field(1, "go1"), field(2, "p"), field(3, "v1"))),
		field(4, message(field(1, "a"), field(2, "b"), field(3, "c"), field(4, "d"), field(5, "e"), field(6, "f"), field(7, "g"), field(8, "h"))),
		field(5, message(field(1, "P"), field(2, "https://x"), field(7, "D"),
			field(8, message(
				field(1, message(field(1, field(1, "user")), field(2, "\x02\x05"), field(3, ""))), // sync, account provisioning
				field(2, "\x02\x05"),
				field(3, field(1, message(field(1, "\x01"), field(2, 1)))))), // without a password
			field(9, message(
				accountField("b", field(5, 2), field(101, "")),
				accountField("i", field(5, 3), field(103, "")),
				accountField("l", field(5, 4), field(102, "")),
				accountField("n", field(1, "N"), field(2, 1), field(3, "d"), field(4, "p"), field(5, 1), field(100, "")))))))
	for name, c := range map[string]struct{ got, want []byte }{
		"hello":        {must(wire.MarshalHello(host, taskID, connector)), hello},
		"get task":     {must(wire.MarshalGetTask("h1")), field(1, "h1")},
		"get tasks":    {must(wire.MarshalGetTasks("h1", 6, []string{taskID})), message(field(1, "h1"), field(2, 6), field(3, taskID))},
		"heartbeat":    {must(wire.MarshalHeartbeat("h1", taskID)), from},
		"upload start": {must(wire.MarshalUploadStart("h1", taskID)), field(100, from)},
		"upload data":  {must(wire.MarshalUploadData([]byte("abc"))), field(101, field(1, "abc"))},
		"upload end":   {must(wire.MarshalUploadEnd([32]byte{1})), field(102, field(1, slices.Concat([]byte{1}, make([]byte, 31))))},
	} {
		if diff := cmp.Diff(hex.Dump(c.want), hex.Dump(c.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestAnswerBytes fixes the answer to every task.
func TestAnswerBytes(t *testing.T) {
	must := ok[wire.Response](t)
	responses := map[string]struct {
		got         wire.Response
		name        string
		message     []byte
		annotations []byte
	}{
		"grant": {must(wire.GrantResponse(baton.Grant{ID: memberID, ResourceName: "Admins"}, false)), "GrantManagerServiceGrantResponse",
			field(2, message(
				field(1, message(field(1, message(field(1, groupID), field(3, "Admins"))), field(2, "group:g1:member"))),
				field(2, field(1, userID)), field(3, "group:g1:member:user:u1"))), nil},
		"granted before": {must(wire.GrantResponse(baton.Grant{ID: memberID}, true)), "GrantManagerServiceGrantResponse",
			field(1, packed("c1.connector.v2.GrantAlreadyExists")), field(1, packed("c1.connector.v2.GrantAlreadyExists"))},
		"revoke": {must(wire.RevokeResponse(false)), "GrantManagerServiceRevokeResponse", nil, nil},
		"revoked before": {must(wire.RevokeResponse(true)), "GrantManagerServiceRevokeResponse",
			field(1, packed("c1.connector.v2.GrantAlreadyRevoked")), field(1, packed("c1.connector.v2.GrantAlreadyRevoked"))},
		"account": {must(wire.AccountResponse(baton.Resource{ID: ann, DisplayName: "Ann"}, false)), "CreateAccountResponse",
			field(100, message(field(1, message(field(1, userID), field(3, "Ann"))), field(2, 1))), nil},
		"account that existed": {must(wire.AccountResponse(baton.Resource{ID: ann, DisplayName: "Ann"}, true)), "CreateAccountResponse",
			field(102, message(field(1, message(field(1, userID), field(3, "Ann"))), field(2, 1))), nil},
		"schemas": {must(wire.ActionSchemasResponse([]baton.Action{fly})), "ListActionSchemasResponse", field(1, flySchema), nil},
		"schema":  {must(wire.ActionSchemaResponse(fly)), "GetActionSchemaResponse", field(1, flySchema), nil},
		"action": {must(wire.ActionResponse(wire.ActionRun{ID: "r1", Name: "fly", State: wire.ActionComplete, Values: map[string]any{"success": true}})),
			"InvokeActionResponse", message(field(1, "r1"), field(2, 4), field(4, flown), field(5, "fly")), nil},
		"action status": {must(wire.ActionStatusResponse(wire.ActionRun{ID: "r1", Name: "fly", State: wire.ActionRunning})),
			"GetActionStatusResponse", message(field(1, "fly"), field(2, "r1"), field(3, 3)), nil},
		"event feeds": {wire.EventFeedsResponse(), "ListEventFeedsResponse", nil, nil},
	}
	for name, c := range responses {
		got, err := wire.MarshalFinish("h1", taskID, wire.Answer{Response: c.got})
		want := message(from, field(101, message(c.annotations, field(2, packed("c1.connector.v2."+c.name, c.message)))))
		if diff := cmp.Diff(hex.Dump(want), hex.Dump(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for name, c := range map[string]struct {
		answer wire.Answer
		want   []byte
	}{
		"success":       {wire.Answer{}, field(101, "")},
		"failure":       {wire.Answer{Code: 14, Message: "down"}, message(field(3, message(field(1, 14), field(2, "down"))), field(100, ""))},
		"final failure": {wire.Answer{Code: 5, Message: "gone", NonRetryable: true}, message(field(3, message(field(1, 5), field(2, "gone"))), field(100, field(1, 1)))},
		"refusal of one": {wire.Answer{Code: 9, Message: "no", NonRetryable: true, Deliberate: true}, message(
			field(3, message(field(1, 9), field(2, "no"), field(3, packed("google.rpc.ErrorInfo",
				field(1, "grant_cancelled"), field(2, "github.com/conductorone/baton-sdk"), field(3, message(field(1, "reason"), field(2, "no"))))))),
			field(100, field(1, 1)))},
	} {
		got, err := wire.MarshalFinish("h1", taskID, c.answer)
		if diff := cmp.Diff(hex.Dump(message(from, c.want)), hex.Dump(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := wire.MarshalFinish("h1", taskID, wire.Answer{Code: 2, Message: "\xff"}); baton.KindOf(err) != baton.Invalid {
		t.Errorf("text that is no text: %v", err)
	}
}

// TestTasks decodes every kind of task.
func TestTasks(t *testing.T) {
	entitlement := message(field(1, message(field(1, groupID), field(3, "Admins"))), field(2, "group:g1:member"))
	principal := field(1, userID)
	text := func(s string) []byte { return field(2, field(3, s)) }
	cases := map[string]struct {
		task []byte
		want wire.Task
	}{
		"none":        {field(100, ""), wire.Task{}},
		"hello":       {field(101, ""), wire.Task{Type: "hello", Work: wire.HelloTask{}}},
		"sync":        {field(102, ""), wire.Task{Type: "sync_full", Work: wire.SyncTask{}}},
		"odd sync":    {message(field(3, 1), field(102, message(field(2, 1), field(3, 1), field(4, principal), field(4, principal), field(5, "user"), field(5, "group"), field(6, 1), field(7, "pebble")))), wire.Task{Debug: true, Type: "sync_full", Work: wire.SyncTask{Types: []string{"user", "group"}, Resources: []baton.ResourceID{ann}, SkipGrants: true, SkipEntitlementsAndGrants: true, StorageEngine: "pebble"}}},
		"bad sync":    {field(102, field(4, "")), wire.Task{Type: "sync_full", Malformed: errors.New("")}},
		"grant":       {field(103, message(field(1, entitlement), field(2, principal))), wire.Task{Type: "grant", Work: wire.GrantTask{GrantID: memberID, ResourceName: "Admins"}}},
		"no grant":    {field(103, field(2, principal)), wire.Task{Type: "grant", Malformed: errors.New("")}},
		"to nobody":   {field(103, field(1, entitlement)), wire.Task{Type: "grant", Malformed: errors.New("")}},
		"revoke":      {field(104, field(1, message(field(1, entitlement), field(2, principal), field(3, "any")))), wire.Task{Type: "revoke", Work: wire.RevokeTask{GrantID: memberID}}},
		"no revoke":   {field(104, ""), wire.Task{Type: "revoke", Malformed: errors.New("")}},
		"account":     {field(105, message(field(1, message(field(1, field(1, "a@x.io")), field(1, message(field(1, "b@x.io"), field(2, 1))), field(2, "bob"), field(4, message(field(1, message(field(1, "name"), text("Bob"))), field(1, message(field(1, "null"), field(2, field(1, 0)))))))), field(2, field(101, "")), field(4, "user"))), wire.Task{Type: "create_account", Work: wire.AccountTask{ResourceType: "user", Credential: "no_password", Request: baton.AccountRequest{Email: "b@x.io", Login: "bob", Profile: map[string]any{"name": "Bob"}}}}},
		"no account":  {field(105, field(4, "user")), wire.Task{Type: "create_account", Malformed: errors.New("")}},
		"schemas":     {field(115, field(2, "user")), wire.Task{Type: "action_list_schemas", Work: wire.ActionSchemasTask{ResourceType: "user"}}},
		"schema":      {field(116, field(1, "fly")), wire.Task{Type: "action_get_schema", Work: wire.ActionSchemaTask{Name: "fly"}}},
		"no schema":   {field(116, ""), wire.Task{Type: "action_get_schema", Malformed: errors.New("")}},
		"action":      {field(117, message(field(1, "fly"), field(2, field(1, message(field(1, "user_id"), text("u1")))))), wire.Task{Type: "action_invoke", Work: wire.ActionTask{Name: "fly", Arguments: map[string]any{"user_id": "u1"}}}},
		"status":      {field(118, message(field(1, "fly"), field(2, "r1"))), wire.Task{Type: "action_status", Work: wire.ActionStatusTask{Name: "fly", ID: "r1"}}},
		"event feeds": {field(121, ""), wire.Task{Type: "list_event_feeds", Work: wire.EventFeedsTask{}}},
		"events":      {field(122, field(4, "usage")), wire.Task{Type: "list_events", Work: wire.EventsTask{Feed: "usage"}}},
		"ticket":      {field(112, ""), wire.Task{Type: "get_ticket"}},
		"rotate":      {field(108, ""), wire.Task{Type: "rotate_credentials"}},
		"from later":  {field(199, ""), wire.Task{}},
	}
	anyError := cmp.Transformer("error", func(err error) bool { return err != nil })
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			task := message(field(1, taskID), c.task)
			want := wire.Poll{Next: 2 * time.Second}
			if c.want.ID = taskID; name != "none" {
				want.Tasks = []wire.Task{c.want}
			}
			next := field(1, 2) // seconds
			one, err := wire.UnmarshalGetTask(message(field(1, task), field(2, next)))
			if diff := cmp.Diff(want, one, anyError, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			several, err := wire.UnmarshalGetTasks(message(field(1, task), field(2, next)))
			if diff := cmp.Diff(want, several, anyError, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("in a batch: %v (-want +got):\n%s", err, diff)
			}
		})
	}
	if next, cancelled, err := wire.UnmarshalHeartbeat(message(field(1, field(1, 3)), field(2, 1))); err != nil || next != 3*time.Second || !cancelled {
		t.Errorf("heartbeat: %v, %v, %v", next, cancelled, err)
	}
}

// TestRecordedAnswers compares with recordings of official programs. They are outside the repository; without
// them the test is skipped.
func TestRecordedAnswers(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "shared", "recorded", "wire-vectors.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no recordings here")
	} else if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recorded := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		var v struct{ Hex string }
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		recorded[v.Hex] = true
	}
	response, must := ok[wire.Response](t), ok[[]byte](t)
	answer := func(id string, a wire.Answer) []byte { return must(wire.MarshalFinish("vm", id, a)) }
	fast := baton.Action{Name: "fast", DisplayName: "D fast", Description: "desc", Types: fly.Types, Arguments: fly.Arguments, Returns: fly.Returns}
	done := map[string]any{"success": true}
	for name, sent := range map[string][]byte{
		"get task":        must(wire.MarshalGetTask("vm")),
		"heartbeat":       must(wire.MarshalHeartbeat("vm", "3MRSCtrG3psFEdfoNaoiJiIJc6T")),
		"sync":            answer("3MRSCtrG3psFEdfoNaoiJiIJc6T", wire.Answer{}),
		"no actions":      answer("3MRSIbEgr2hITh4KUlqLGk3sbQw", wire.Answer{Response: response(wire.ActionSchemasResponse(nil))}),
		"no event feeds":  answer("3MRSJMI5FZsRD3C76G0Jn9yIpBF", wire.Answer{Response: wire.EventFeedsResponse()}),
		"unsupported":     answer("3MRSK7W3H0BJaVGkkblwJXNwmWz", wire.Answer{Code: 2, Message: "unsupported task type"}),
		"tickets":         answer("3MRSKhtLmNBgQFArYf1bo1UZpim", wire.Answer{Code: 2, Message: "ticketing is not enabled"}),
		"granted before":  answer("3MRTs9sAQA1Hj53CQTzqUYftA0d", wire.Answer{Response: response(wire.GrantResponse(baton.Grant{ID: memberID}, true))}),
		"revoked before":  answer("3MRTsuYa5d5nWuM65P2GZKSCMGY", wire.Answer{Response: response(wire.RevokeResponse(true))}),
		"schema":          answer("3MRTvMo9tOG8zcwtb9Dym1QALy3", wire.Answer{Response: response(wire.ActionSchemaResponse(fast))}),
		"action":          answer("3MRTvaiGnSh4If133HUefIjXoiC", wire.Answer{Response: response(wire.ActionResponse(wire.ActionRun{ID: "3MRTvZtlfhTCLOAnQoOXn68TeXf", Name: "fast", State: wire.ActionComplete, Values: done}))}),
		"slow action":     answer("3MRTwUOYqATcuN1VXthiL6ipHIS", wire.Answer{Response: response(wire.ActionResponse(wire.ActionRun{ID: "3MRTwegePGSulBAtOZ5UQPZl4R3", Name: "slow", State: wire.ActionRunning}))}),
		"its status":      answer("3MRTwuMk1HlzYc3MgxTbkMV8Nqv", wire.Answer{Response: response(wire.ActionStatusResponse(wire.ActionRun{ID: "3MRTwegePGSulBAtOZ5UQPZl4R3", Name: "slow", State: wire.ActionRunning}))}),
		"its last status": answer("3MRTxcVCCRpCkuRiPPASgU4V3C6", wire.Answer{Response: response(wire.ActionStatusResponse(wire.ActionRun{ID: "3MRTwegePGSulBAtOZ5UQPZl4R3", Name: "slow", State: wire.ActionComplete, Values: done}))}),
	} {
		if !recorded[hex.EncodeToString(sent)] {
			t.Errorf("%s: nobody sent\n%s", name, hex.Dump(sent))
		}
	}
}

func FuzzUnmarshalGetTask(f *testing.F) {
	f.Add(field(1, message(field(1, taskID), field(103, ""))))
	f.Add(field(1, message(field(1, taskID), field(117, message(field(1, "fly"), field(2, flown))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := wire.UnmarshalGetTask(b)
		if err != nil && baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%v", err)
		}
		for _, task := range p.Tasks {
			if task.ID == "" || task.Malformed != nil && task.Work != nil {
				t.Errorf("%+v", task)
			}
		}
	})
}

// FuzzUnmarshalHeartbeat: a response to a heartbeat is corrupt, or its wait is usable.
func FuzzUnmarshalHeartbeat(f *testing.F) {
	f.Add([]byte{})
	f.Add(field(1, message(field(2, "x"))))
	f.Add([]byte{0x0a, 0x02, 0x08, 0x1e, 0x10, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		next, cancelled, err := wire.UnmarshalHeartbeat(b)
		if err != nil && (baton.KindOf(err) != baton.Corrupt || next != 0 || cancelled) {
			t.Errorf("%v, %t, %v", next, cancelled, err)
		}
		if _, err := wire.UnmarshalGetTasks(b); err != nil && baton.KindOf(err) != baton.Corrupt {
			t.Errorf("%v", err)
		}
	})
}
