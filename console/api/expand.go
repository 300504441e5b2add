package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"baton"
)

// expandMask selects the related objects that a response contains.
type expandMask struct {
	Paths []string `json:"paths"`
}

// The allowed paths of masks. Whoever may see the requested object may see these related objects, as
// far as they are visible at all.
var (
	entitlementPaths = []string{"app_id", "app_resource_type_id", "app_resource_id"}
	taskPaths        = []string{"access_review_id", "user_id", "created_by_user_id", "app_id", "app_user_id", "app_entitlement_ids", "step_approver_ids", "approver_ids",
		"identity_user_id", "insight_ids", "app_user_last_usage", "entitlement_scope_bindings", "scope_role_resources", "resource"}
)

// check returns an error for a path that a call does not support.
func (m expandMask) check(known []string) error {
	for _, path := range m.Paths {
		if path != "*" && !slices.Contains(known, path) {
			return baton.Errorf(baton.Invalid, "the path %q of expandMask is not known here", path).WithFix("These are: %s.", strings.Join(known, ", "))
		}
	}
	return nil
}

// taskMask is the mask of calls about requests, entitlementMask that of calls about entitlements.
type (
	taskMask        struct{ expandMask }
	entitlementMask struct{ expandMask }
)

// UnmarshalJSON decodes a mask and refuses unknown paths.
func (m *taskMask) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &m.expandMask); err != nil {
		return err
	}
	return m.check(taskPaths)
}

// UnmarshalJSON reads a mask and refuses paths that are not known.
func (m *entitlementMask) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &m.expandMask); err != nil {
		return err
	}
	return m.check(entitlementPaths)
}

// expander collects related objects without duplicates. Views refer to them by their index.
type expander struct {
	mask   expandMask
	Items  list[packed]
	places map[string]string
}

// add adds an object if the mask selects its path, and returns its index; "" if it was not added, as an
// object without a key is not.
func (x *expander) add(path, message, key string, object func() any) string {
	if key == "" || !slices.Contains(x.mask.Paths, path) && !slices.Contains(x.mask.Paths, "*") {
		return ""
	}
	if x.places == nil {
		x.places = map[string]string{}
	}
	if at, ok := x.places[message+" "+key]; ok {
		return at
	}
	at := fmt.Sprintf("$.expanded[%d]", len(x.Items))
	x.places[message+" "+key] = at
	x.Items = append(x.Items, packed{message, object()})
	return at
}

// packed is a message in a google.protobuf.Any.
type packed struct {
	message string // full name
	object  any
}

func (p packed) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(p.object)
	if err != nil || !bytes.HasPrefix(b, []byte("{")) {
		return nil, fmt.Errorf("%s is no message: %w", p.message, err)
	}
	name, err := json.Marshal("type.googleapis.com/" + p.message)
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"@type":`), name...)
	if len(b) > 2 {
		out = append(out, ',')
	}
	return append(out, b[1:]...), nil
}
