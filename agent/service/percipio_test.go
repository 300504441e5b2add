package service_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"baton"
	"baton/agent/service"
	"baton/connector/percipio"
	"baton/connector/rest"
	"baton/internal/pb/batonv1"
	"baton/internal/pb/connectorv2"
	sandboxed "baton/sandbox/percipio"
)

// TestPercipio runs the tasks of C1 on a read-only connector.
func TestPercipio(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	org := sandboxed.New(sandboxed.Options{})
	server := httptest.NewServer(org)
	defer server.Close()
	r := w.start(func(c *service.Config) {
		c.Open = func(_ context.Context, observe func(rest.Attempt)) (*baton.Connector, error) {
			cfg, err := percipio.Configure(baton.Values{"base-url": server.URL, "organization-id": org.OrganizationID(), "api-token": baton.NewSecret(org.Token())})
			client, restErr := rest.New(rest.Config{BaseURL: server.URL, Token: baton.NewSecret(org.Token()), Observe: observe})
			if err := errors.Join(err, restErr); err != nil {
				return nil, err
			}
			cfg.REST = client
			return percipio.New(cfg), nil
		}
	})
	// Twice, because a report belongs to one sync.
	for range 2 {
		f := w.uploaded(w.succeed(syncTask(nil), nil))
		users, _ := w.count(f, "user")
		if courses, grants := w.count(f, "course"); users == 0 || courses == 0 || grants == 0 {
			t.Errorf("%d users, %d courses, %d grants", users, courses, grants)
		}
	}
	if h := w.c1.Hellos()[0].Request.ConnectorMetadata; h.AccountCreationSchema != nil || len(h.Capabilities.ResourceTypeCapabilities) != 2 {
		t.Errorf("metadata: %v", h)
	}
	someone := org.State().Users[0].ID
	course := &connectorv2.Entitlement{Id: "course:c:completed", Resource: &connectorv2.Resource{Id: &connectorv2.ResourceId{ResourceType: "course", Resource: "c"}}}
	w.fail(&batonv1.Task{TaskType: &batonv1.Task_Grant{Grant: &batonv1.Task_GrantTask{Entitlement: course, Principal: principal(someone)}}}, 12, true, "course")
	w.fail(accountTask("jane@acme.example", "Jane Smith"), 12, true, "account")
	w.fail(actionTask("disable_user", map[string]any{"user_id": someone}), 5, false, "disable_user")
	var schemas connectorv2.ListActionSchemasResponse
	w.succeed(&batonv1.Task{TaskType: &batonv1.Task_ActionListSchemas{ActionListSchemas: &batonv1.Task_ActionListSchemasTask{}}}, &schemas)
	if len(schemas.Schemas) != 0 {
		t.Errorf("schemas: %v", &schemas)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}
