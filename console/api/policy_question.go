package api

import (
	"strconv"
	"time"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// policyTest is the body of a call that tests who would be asked.
type policyTest struct {
	Kind             string            `json:"kind"` // default "request"
	PolicyID         string            `json:"policyId"`
	AppID            string            `json:"appId"`
	AppEntitlementID string            `json:"appEntitlementId"` // the id in this interface
	EntitlementID    string            `json:"entitlementId"`    // the id in the application
	Subject          string            `json:"subject"`          // e-mail address
	Requester        string            `json:"requester"`        // e-mail address
	Duration         string            `json:"duration"`         // "3600s"
	RequestData      map[string]string `json:"requestData"`
}

type policyTestResponse struct {
	PolicyID      string           `json:"policyId"`
	PolicyName    string           `json:"policyName"`
	PolicyVersion int              `json:"policyVersion"`
	PolicyFrom    string           `json:"policyFrom"`
	Rule          int              `json:"rule"`
	RuleName      string           `json:"ruleName"`
	Passed        list[string]     `json:"passedConditions"`
	Outcome       string           `json:"outcome"`
	Why           string           `json:"why"`
	Steps         list[testedStep] `json:"steps"`
	Refused       string           `json:"refused"`
	Fix           string           `json:"fix"`
}

type testedStep struct {
	Name     string          `json:"name"`
	Sentence string          `json:"sentence"`
	Wait     bool            `json:"wait"`
	Fallback bool            `json:"fallback"`
	Limit    string          `json:"limit"`
	Asked    list[askedUser] `json:"asked"`
	Excluded list[askedUser] `json:"excluded"`
}

type askedUser struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName"`
	Why         string `json:"why"`
	OnBehalfOf  string `json:"onBehalfOfUserId"`
}

func testPolicy(c *call, r policyTest) (*policyTestResponse, error) {
	if r.Kind == "" {
		r.Kind = string(govern.QuestionRequest)
	}
	q := govern.PolicyQuestion{Kind: govern.QuestionKind(r.Kind), Policy: console.ID(r.PolicyID), App: console.ID(r.AppID), Entitlement: r.EntitlementID,
		Subject: r.Subject, Requester: r.Requester, Form: r.RequestData, Term: console.Term{For: console.Duration(time.Hour)}}
	if r.Duration != "" {
		d, err := time.ParseDuration(r.Duration)
		if err != nil || d <= 0 {
			return nil, baton.Errorf(baton.Invalid, "duration: %q is no duration", r.Duration).WithFix("Write it in seconds, as 3600s.")
		}
		q.Term.For = console.Duration(d)
	}
	if r.AppEntitlementID != "" {
		k, err := strconv.ParseInt(r.AppEntitlementID, 10, 64)
		if err != nil || k < 0 {
			return nil, baton.Errorf(baton.NotFound, "no entitlement")
		}
		row, err := c.Console.SeenEntitlement(c.ctx(), c.caller, q.App, console.EntitlementKey(k))
		if err != nil {
			return nil, err
		}
		q.Entitlement = row.Entitlement.ID
	}
	a, err := c.Console.TestPolicy(c.ctx(), c.caller, q)
	if err != nil {
		return nil, err
	}
	v := policyTestResponse{PolicyID: string(a.Policy.ID), PolicyName: a.Policy.Name, PolicyVersion: a.Policy.Version, PolicyFrom: a.PolicyFrom,
		Rule: a.Plan.Rule, RuleName: a.Plan.Name, Outcome: string(a.Plan.Outcome), Why: a.Plan.Why}
	for _, rule := range a.Passed {
		v.Passed = append(v.Passed, rule.When)
	}
	if a.Refused != nil {
		v.Refused, v.Fix = a.Refused.Error(), baton.FixOf(a.Refused)
	}
	for i, s := range a.Plan.Steps {
		step := testedStep{Name: s.Name, Sentence: s.Sentence(), Wait: s.Wait != nil}
		if s.Limit > 0 {
			step.Limit = strconv.FormatInt(int64(time.Duration(s.Limit)/time.Second), 10) + "s"
		}
		if i < len(a.Preview.Steps) {
			who := a.Preview.Steps[i]
			step.Fallback = who.Fallback
			for _, p := range who.Asked {
				step.Asked = append(step.Asked, askedUser{string(p.Person), a.Names.Of(p.Person), p.Why, string(p.For)})
			}
			for _, p := range who.Excluded {
				step.Excluded = append(step.Excluded, askedUser{UserID: string(p.Person), DisplayName: a.Names.Of(p.Person), Why: p.Why})
			}
		}
		v.Steps = append(v.Steps, step)
	}
	return &v, nil
}
