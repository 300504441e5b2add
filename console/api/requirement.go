package api

import (
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// requirement holds the needs of an entitlement, and how many holders lack them.
type requirement struct {
	AppID            string     `json:"appId"`
	AppEntitlementID string     `json:"appEntitlementId"`
	DisplayName      string     `json:"displayName"`
	Version          int        `json:"version"`
	Needs            list[need] `json:"needs"`
	Any              bool       `json:"any"`
	WithinMonths     int        `json:"withinMonths"`
	Grace            string     `json:"grace"` // "3600s"
	Mode             string     `json:"mode"`
	Cap              int        `json:"cap"`
	EnforcedAt       stamp      `json:"enforcedAt"`
	Missing          int        `json:"missing"`
	Lapsed           int        `json:"lapsed"`
	Unknown          int        `json:"unknown"`
}

type need struct {
	AppID            string `json:"appId"`
	AppName          string `json:"appName"`
	AppEntitlementID string `json:"appEntitlementId"`
	EntitlementID    string `json:"entitlementId"` // in the application
	DisplayName      string `json:"displayName"`
	Link             string `json:"link"`
	InScope          bool   `json:"inScope"` // the newest sync contains it
}

func requirementOf(s govern.RequirementSummary) requirement {
	m := requirement{AppID: string(s.App), AppEntitlementID: strconv.FormatInt(int64(s.Entitlement), 10), DisplayName: s.Name, Version: s.Version, Any: s.Any, WithinMonths: s.Months,
		Grace: strconv.FormatInt(int64(time.Duration(s.Grace)/time.Second), 10) + "s", Mode: string(s.Mode), Cap: s.Limit(), EnforcedAt: stamp(s.Enforced),
		Missing: s.Counts.Missing, Lapsed: s.Counts.Lapsed, Unknown: s.Counts.Unknown}
	for _, n := range s.Needs {
		m.Needs = append(m.Needs, need{string(n.App), n.AppName, strconv.FormatInt(int64(n.Entitlement), 10), n.EntitlementID, n.Course, n.Link, n.InScope})
	}
	return m
}

type requirementsResponse struct {
	List          list[requirement] `json:"list"`
	NextPageToken string            `json:"nextPageToken"` // empty: the list is complete
}

func listRequirements(c *call) (*requirementsResponse, error) {
	all, err := c.Console.Requirements(c.ctx(), c.caller)
	out := requirementsResponse{}
	for _, s := range all {
		out.List = append(out.List, requirementOf(s))
	}
	return &out, err
}

// setRequirementRequest is the body of a call that sets a requirement.
type setRequirementRequest struct {
	AppID            string   `json:"appId"`
	AppEntitlementID string   `json:"appEntitlementId"`
	Version          int      `json:"version"` // the newest one; 0 for the first
	Needs            []string `json:"needs"`   // "Percipio/Security Basics"
	Any              bool     `json:"any"`
	WithinMonths     int      `json:"withinMonths"`
	Grace            string   `json:"grace"`
	Mode             string   `json:"mode"` // default "report"
	Cap              int      `json:"cap"`
	Why              string   `json:"why"`
}

type setRequirementResponse struct {
	// Waits means that a second person has to confirm it.
	Waits bool `json:"waits"`
}

func setRequirement(c *call, r setRequirementRequest) (*setRequirementResponse, error) {
	key, err := strconv.ParseInt(r.AppEntitlementID, 10, 64)
	if err != nil || key < 0 {
		return nil, baton.Errorf(baton.NotFound, "no entitlement")
	}
	n := govern.NewRequirement{App: console.ID(r.AppID), Entitlement: console.EntitlementKey(key), Version: r.Version, Needs: r.Needs, Why: r.Why}
	n.Any, n.Months, n.Mode, n.Cap = r.Any, r.WithinMonths, console.RequirementMode(r.Mode), r.Cap
	if n.Mode == "" {
		n.Mode = console.RequirementReport
	}
	if r.Grace != "" {
		d, err := time.ParseDuration(r.Grace)
		if err != nil || d < 0 {
			return nil, baton.Errorf(baton.Invalid, "grace: %q is no duration", r.Grace).WithFix("Write it in seconds, as 3600s.")
		}
		n.Grace = console.Duration(d)
	}
	saved, err := c.Console.SetRequirement(c.ctx(), c.caller, n)
	return &setRequirementResponse{saved.Waits}, err
}
