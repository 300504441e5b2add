package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type createGrantRequest struct {
	AppEntitlementID string                     `json:"appEntitlementId"`
	AppID            string                     `json:"appId"`
	AppUserID        string                     `json:"appUserId"`
	Description      string                     `json:"description"`
	EmergencyAccess  bool                       `json:"emergencyAccess"`
	ExpandMask       taskMask                   `json:"expandMask"`
	GrantDuration    string                     `json:"grantDuration"`
	IdentityUserID   string                     `json:"identityUserId"`
	RequestData      map[string]json.RawMessage `json:"requestData"`
}

func createGrant(c *call, r createGrantRequest) (*taskResponse, error) {
	n := govern.NewRequest{App: console.ID(r.AppID), Why: r.Description, Emergency: r.EmergencyAccess, AnswersLater: len(r.RequestData) == 0}
	var err error
	if n.Entitlement, err = entitlementKey(r.AppEntitlementID); err != nil {
		return nil, err
	}
	if n.Account, err = accountKey(r.AppUserID); err != nil {
		return nil, err
	}
	if n.Term.For, err = grantDuration(r.GrantDuration); err != nil {
		return nil, err
	}
	if n.Form, err = answers(r.RequestData); err != nil {
		return nil, err
	}
	if r.IdentityUserID != string(c.caller.Person.ID) {
		n.For = console.ID(r.IdentityUserID) // "": the caller
	}
	made, err := c.Console.SubmitRequest(c.ctx(), c.caller, n)
	if err != nil {
		return nil, err
	}
	return c.task(made.ID, r.ExpandMask.expandMask)
}

type createRevokeRequest struct {
	AppEntitlementID string   `json:"appEntitlementId"`
	AppID            string   `json:"appId"`
	AppUserID        string   `json:"appUserId"`
	Description      string   `json:"description"`
	ExpandMask       taskMask `json:"expandMask"`
	IdentityUserID   string   `json:"identityUserId"`
}

// createRevoke ends access of the caller, or files a request to remove another person's access.
func createRevoke(c *call, r createRevokeRequest) (*taskResponse, error) {
	e, err := entitlementKey(r.AppEntitlementID)
	if err != nil {
		return nil, err
	}
	account, err := accountKey(r.AppUserID)
	if err != nil {
		return nil, err
	}
	if r.IdentityUserID != "" && r.IdentityUserID != string(c.caller.Person.ID) {
		done, err := c.Console.RemoveAccessOf(c.ctx(), c.caller, console.ID(r.AppID), console.ID(r.IdentityUserID), account, e, r.Description)
		if err != nil {
			return nil, err
		}
		return c.task(done.Request, r.ExpandMask.expandMask)
	}
	made, err := c.Console.GiveBack(c.ctx(), c.caller, console.ID(r.AppID), e, account, strings.TrimSpace(r.Description))
	if err != nil {
		return nil, err
	}
	return c.task(made.ID, r.ExpandMask.expandMask)
}

func entitlementKey(id string) (console.EntitlementKey, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 {
		return 0, baton.Errorf(baton.NotFound, "no entitlement")
	}
	return console.EntitlementKey(n), nil
}

func accountKey(id string) (console.ResourceKey, error) {
	if id == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, baton.Errorf(baton.NotFound, "no account")
	}
	return console.ResourceKey(n), nil
}

// grantDuration decodes a duration in seconds, "3600s" or "1.5s"; 0 for none.
func grantDuration(text string) (console.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || !strings.HasSuffix(text, "s") {
		return 0, baton.Errorf(baton.Invalid, "the field grantDuration has %q, which is no duration", text).WithFix("Write it in seconds, as 3600s.")
	}
	if d < time.Second { // rounding down must not remove the limit
		return 0, baton.Errorf(baton.Invalid, "the duration that is asked for is shorter than a second")
	}
	return console.Duration(d.Truncate(time.Second)), nil
}

// answers decodes the answers to the form of a request: texts, numbers, booleans or lists of them.
func answers(data map[string]json.RawMessage) (map[string]string, error) {
	form := map[string]string{}
	for name, raw := range data {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, baton.Errorf(baton.Invalid, "the answer %s cannot be read", name)
		}
		switch v := v.(type) {
		case nil:
		case string:
			form[name] = v
		case bool, float64:
			form[name] = string(raw)
		case []any:
			var parts []string
			for _, one := range v {
				text, ok := one.(string)
				if !ok {
					return nil, baton.Errorf(baton.Invalid, "the answer %s is a list of something else than texts", name)
				}
				parts = append(parts, text)
			}
			form[name] = strings.Join(parts, ", ")
		default:
			return nil, baton.Errorf(baton.Invalid, "the answer %s is neither a text nor a list", name)
		}
	}
	if len(form) == 0 {
		return nil, nil
	}
	return form, nil
}
