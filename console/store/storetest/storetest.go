// Package storetest is the conformance suite of the store: every database must pass it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/internal/engine"
)

// Database is an empty database for a test. Open may be called several times, like several
// processes, and closes what it opened when the test ends.
type Database interface {
	Open(t testing.TB) engine.DB
}

// Run runs the suite. fresh returns a new empty database.
func Run(t *testing.T, fresh func(t testing.TB) Database) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Database)
	}{
		{"Migrations", testMigrations},
		{"Person", testPerson},
		{"PersonMerge", testPersonMerge},
		{"Directory", testDirectory},
		{"PersonSearch", testPersonSearch},
		{"LastSuperAdministrator", testLastSuperAdministrator},
		{"Login", testLogin},
		{"Invitation", testInvitation},
		{"Session", testSession},
		{"Attempts", testAttempts},
		{"Provider", testProvider},
		{"Identity", testIdentity},
		{"MappedRoles", testMappedRoles},
		{"SignIn", testSignIn},
		{"SCIMSource", testSCIMSource},
		{"SCIMUser", testSCIMUser},
		{"SCIMGroup", testSCIMGroup},
		{"Denial", testDenial},
		{"App", testApp},
		{"Alias", testAlias},
		{"Device", testDevice},
		{"Unmanaged", testUnmanaged},
		{"Connector", testConnector},
		{"ConnectorContinues", testConnectorContinues},
		{"Removal", testRemoval},
		{"ConnectorSchedule", testConnectorSchedule},
		{"Setting", testSetting},
		{"AddSetting", testAddSetting},
		{"Pauses", testPauses},
		{"ConnectorSettings", testConnectorSettings},
		{"EventChain", testEventChain},
		{"EventFilters", testEventFilters},
		{"EventAt", testEventAt},
		{"EventTamper", testEventTamper},
		{"EventEpoch", testEventEpoch},
		{"EventConcurrency", testEventConcurrency},
		{"UpdateIsAtomic", testUpdateIsAtomic},
		{"ViewIsASnapshot", testViewIsASnapshot},
		{"Follower", testFollower},
		{"FollowerConcurrency", testFollowerConcurrency},
		{"MailSettings", testMailSettings},
		{"Notices", testNotices},
		{"Outbox", testOutbox},
		{"EarlierDue", testEarlierDue},
		{"Webhook", testWebhook},
		{"WebhookLimit", testWebhookLimit},
		{"WebhookDelivery", testWebhookDelivery},
		{"Hook", testHook},
		{"Figures", testFigures},
		{"Due", testDue},
		{"DueUndoneClaim", testDueUndoneClaim},
		{"DueConcurrency", testDueConcurrency},
		{"DueExactlyOnce", testDueExactlyOnce},
		{"DueAwait", testDueAwait},
		{"LateExpiries", testLateExpiries},
		{"Wake", testWake},
		{"Seal", testSeal},
		{"SealRotate", testSealRotate},
		{"SealReload", testSealReload},
		{"File", testFile},
		{"FileRetention", testFileRetention},
		{"Retention", testRetention},
		{"Configuration", testConfiguration},
		{"ForgetHistory", testForgetHistory},
		{"ForgetTasks", testForgetTasks},
		{"Erasure", testErasure},
		{"Sync", testSync},
		{"AccountFilter", testAccountFilter},
		{"EntitlementFilter", testEntitlementFilter},
		{"FactHistory", testFactHistory},
		{"SyncOrder", testSyncOrder},
		{"SyncCounts", testSyncCounts},
		{"SyncAbandoned", testSyncAbandoned},
		{"SyncTakenOver", testSyncTakenOver},
		{"SyncHeld", testSyncHeld},
		{"SyncUpload", testUpload},
		{"SyncInvisible", testSyncInvisible},
		{"SyncRandom", testSyncRandom},
		{"ForeignBytes", testForeignBytes},
		{"SourceSets", testSourceSets},
		{"Volatile", testVolatile},
		{"Lists", testLists},
		{"Differences", testDifferences},
		{"Changed", testChanged},
		{"HoldersMany", testHoldersMany},
		{"Plans", testPlans},
		{"Incarnations", testIncarnations},
		{"Client", testClient},
		{"ClientToken", testClientToken},
		{"Reason", testReason},
		{"Bar", testBar},
		{"AccountOwner", testAccountOwner},
		{"AccountKind", testAccountKind},
		{"Admins", testAdmins},
		{"RemovalPlan", testRemovalPlan},
		{"PlanAsked", testPlanAsked},
		{"Operation", testOperation},
		{"OperationGuards", testOperationGuards},
		{"OperationRace", testOperationRace},
		{"OperationLastAdmins", testOperationLastAdmins},
		{"OperationWaits", testOperationWaits},
		{"OperationWithoutAccount", testOperationWithoutAccount},
		{"Access", testAccess},
		{"AccessBatch", testAccessBatch},
		{"Policy", testPolicy},
		{"Requirement", testRequirement},
		{"Provisioning", testProvisioning},
		{"Seats", testSeats},
		{"Findings", testFindings},
		{"FindingLook", testFindingLook},
		{"Campaign", testCampaign},
		{"Review", testReview},
		{"ReviewProgress", testReviewProgress},
		{"Automation", testAutomation},
		{"Request", testRequest},
		{"RequestCarried", testRequestCarried},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, fresh(t)) })
	}
}

var (
	noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ctx  = context.Background()
)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// by returns a command of the console itself, some minutes after noon.
func by(minutes int) console.By { return console.By{At: at(minutes), Actor: console.Console} }

// byPerson returns a command of a person.
func byPerson(minutes int, p console.ID) console.By {
	return console.By{At: at(minutes), Actor: console.ByPerson(p)}
}

func keyring(t testing.TB, current string, names ...string) *store.Keyring {
	t.Helper()
	keys := map[string][]byte{}
	for _, n := range append(names, current) {
		keys[n] = []byte(fmt.Sprintf("%-32s", n))
	}
	k, err := store.NewKeyring(current, keys)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, db Database) *store.Store {
	return store.New(db.Open(t), keyring(t, "first"))
}

func update(t testing.TB, s *store.Store, b console.By, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(ctx, b, fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.View(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

// wantKind checks the kind of an error.
func wantKind(t testing.TB, what string, err error, want baton.Kind) {
	t.Helper()
	if err == nil || baton.KindOf(err) != want {
		t.Errorf("%s: %v (%v), want an error of kind %v", what, err, baton.KindOf(err), want)
	}
}

// fails runs a command that must fail with an error of a kind and change nothing.
func fails(t testing.TB, s *store.Store, b console.By, what string, want baton.Kind, fn func(*store.Tx) error) {
	t.Helper()
	before := chainHead(t, s)
	wantKind(t, what, s.Update(ctx, b, fn), want)
	if after := chainHead(t, s); after != before {
		t.Errorf("%s: events were appended", what)
	}
}

func chainHead(t testing.TB, s *store.Store) (h console.ChainHead) {
	t.Helper()
	view(t, s, func(tx *store.Tx) (err error) {
		h, err = tx.ChainHead()
		return err
	})
	return h
}

// checkChain checks that the chain of events has no fault.
func checkChain(t testing.TB, s *store.Store, heads ...console.ChainHead) {
	t.Helper()
	r, err := s.VerifyChain(ctx, heads...)
	if err != nil || len(r.Faults) > 0 {
		t.Errorf("chain: %+v, %v", r.Faults, err)
	}
}

var errStop = errors.New("stop here")

// kinds returns the kinds of all events, oldest first.
func kinds(t testing.TB, s *store.Store) (all []string) {
	t.Helper()
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{}, 0, store.PageSize)
		for _, e := range events {
			all = append(all, e.Kind)
		}
		return err
	})
	return all
}
