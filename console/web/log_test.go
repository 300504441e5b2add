package web

import (
	"strings"
	"testing"

	"baton/console/rpc"
)

// TestLogFix checks that the log says what to do about a task that failed, unless the
// connector says it.
func TestLogFix(t *testing.T) {
	sync, grant := rpc.Work{Sync: &rpc.SyncWork{}}, rpc.Work{Grant: &rpc.GrantWork{}}
	for _, tt := range []struct {
		work    rpc.Work
		code    uint32
		message string
		label   string
		fix     string // part of it; "" for none
	}{
		{sync, 0, "", "Done", ""},
		{sync, 9, "half of the accounts are gone", "Held by the connector", "An override"},
		{sync, 9, "half of the accounts are gone; --allow-held 1234 lets it pass", "Held by the connector", ""},
		{sync, 14, "the application does not answer", "Failed", ""},
		{grant, 9, "provisioning is not enabled", "Failed", "BATON_PROVISIONING=true"},
		{grant, 9, "provisioning is switched off: set BATON_PROVISIONING", "Failed", ""},
		{grant, 9, "the last admin is not removed", "Failed", ""},
	} {
		task := rpc.Task{Work: tt.work, State: rpc.Finished, Result: rpc.Result{At: noon, Code: tt.code, Message: tt.message}}
		fix := logPage{}.Fix(task)
		if got := (logPage{}).Chip(task).Label; got != tt.label || (fix == "") != (tt.fix == "") || !strings.Contains(fix, tt.fix) {
			t.Errorf("%d %q: %s, %q; want %s, %q", tt.code, tt.message, got, fix, tt.label, tt.fix)
		}
	}
}
