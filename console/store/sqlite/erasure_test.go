package sqlite_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/console/store"
	"baton/console/store/internal/engine"
	"baton/console/store/sqlite"
)

// Columns of bytes in which erasing a person looks for nothing.
const (
	// removed or replaced with the person, or with the person's accounts
	erasedApart = `event.payload person.name person.sort_key person.department person_email.email person_word.word login.name session.address sign_in.address identity.subject identity.email
		resource.id resource_version.name resource_version.login resource_version.detail resource_version.digest lookup.value client.name directory_account.given directory_account.why due.payload
		scim_user.user_name scim_user.external_id scim_user.manager scim_user.entry scim_user.document scim_address.address erasure.body device.code device.typed device.token mail.address`
	// hashes, keys and random values
	noText = `automation_execution.chain plan.hash chain.hash event.previous event.hash secret.sealed sync.sha256 entitlement_version.digest source_set.digest file.sha256 token.hash assertion.hash session.hash invitation.hash attempt.hash
		sign_in.hash sign_in.browser sign_in.session client_token.hash hook_message.sender_hash hook_message.sha256 scim_token.hash credential.public_key client.public_key schema_migration.sum client.client_id credential.client_id token.client_id review_item.hash review_assignment.hash review_submission.digest`
	// names of things that are no persons, and settings of the console
	ofThings = `plan.summary plan_row.mastered plan_row.fix setting.value app.name app.sort_key role_map.roles connector.name connector.product connector.cron connector.zone sync.counts sync.scope resource.type entitlement.id entitlement_version.slug
		entitlement_version.name entitlement_version.description source_set.sources task.only_host task.host upload.host host.id host.hello provider.label provider.issuer provider.client_id provider.scopes
		provider.groups_claim provider_group.group_name policy_version.name policy_version.rules request_setting.settings identity.issuer sign_in.next requirement.rule webhook.address webhook.description webhook.why
		seats.otherwise hook.name hook.why hook_message.sender hook_message.type scim_source.name scim_source.error scim_group.name scim_group.name_key scim_group.external_id action_run.name action_run.resource_type review_submission.counts`
	// persons by id, as actors or owners
	byID = `automation_execution.created_by configuration_source.actor plan.owners plan.created_by plan_row.facts account_owner.set_by reason.created_by reason.ended_by bar.created_by bar.lifted_by account_kind.set_by explanation.by_actor finding.by_actor seats.by_actor action_run.created_by campaign.author review_assignment.by_actor review_item.outcome
		recovery_card.body recovery_card.told_body recovery_copy.body`
	// written anew by the next check or sync, or kept as long as what they belong to
	passing = `staged.changes overdue.why request_asked.why requirement_lack.why requirement_lack.refused fact.detail file_chunk.data`
)

// TestErasedColumns compares all columns of bytes with those that erasing a person knows. Whoever adds
// one says here whether it can name somebody, or adds it to those that are looked through.
func TestErasedColumns(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "console.db"), Now: time.Now(), NoFlush: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var have []string
	err = s.View(t.Context(), func(tx *store.Tx) (err error) {
		have, err = engine.List(tx.Engine(), func(r engine.Row) string { return r.Text(0) },
			"SELECT m.name || '.' || p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND p.type = 'BLOB' ORDER BY 1")
		return err
	})
	if err != nil || len(have) < 50 {
		t.Fatalf("%d columns, %v", len(have), err)
	}
	known := append(strings.Fields(erasedApart+" "+noText+" "+ofThings+" "+byID+" "+passing), store.ErasedColumns()...)
	for _, c := range have {
		if !slices.Contains(known, c) {
			t.Errorf("%s: can it name a person?", c)
		}
	}
	for _, c := range known {
		if !slices.Contains(have, c) {
			t.Errorf("%s is not there", c)
		}
	}
}
