package api

import (
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// incompatible is a pair of entitlements that nobody should hold together.
type incompatible struct {
	ID                 string `json:"id"`
	AppID              string `json:"appId"`
	AppEntitlementID   string `json:"appEntitlementId"`
	DisplayName        string `json:"displayName"`
	OtherAppID         string `json:"otherAppId"`
	OtherEntitlementID string `json:"otherAppEntitlementId"`
	OtherDisplayName   string `json:"otherDisplayName"`
	Reason             string `json:"reason"`
	CreatedAt          stamp  `json:"createdAt"`
	CreatedBy          string `json:"createdBy"` // id of the person
	Holders            int    `json:"holders"`   // people who hold both
}

type incompatibleResponse struct {
	List          list[incompatible] `json:"list"`
	NextPageToken string             `json:"nextPageToken"` // empty: the list is complete
}

func listIncompatible(c *call) (*incompatibleResponse, error) {
	all, err := c.Console.IncompatibleEntitlements(c.ctx(), c.caller)
	out := &incompatibleResponse{}
	for _, v := range all {
		out.List = append(out.List, incompatible{string(v.ID), string(v.App), key(v.Entitlement), v.Name, string(v.OtherApp), key(v.OtherEntitlement), v.OtherName, v.Why, stamp(v.Created), string(v.Incompatible.Author), v.Holders})
	}
	return out, err
}

type createIncompatibleRequest struct {
	AppID              string `json:"appId"`
	AppEntitlementID   string `json:"appEntitlementId"`
	OtherAppID         string `json:"otherAppId"`
	OtherEntitlementID string `json:"otherAppEntitlementId"`
	Reason             string `json:"reason"`
}

func createIncompatible(c *call, r createIncompatibleRequest) (*incompatibleResponse, error) {
	first, err := strconv.ParseInt(r.AppEntitlementID, 10, 64)
	second, e := strconv.ParseInt(r.OtherEntitlementID, 10, 64)
	if err != nil || e != nil {
		return nil, baton.Errorf(baton.Invalid, "two entitlements are needed")
	}
	if _, err := c.Console.DeclareIncompatible(c.ctx(), c.caller, govern.NewIncompatible{App: console.ID(r.AppID), Entitlement: console.EntitlementKey(first), OtherApp: console.ID(r.OtherAppID), OtherEntitlement: console.EntitlementKey(second), Why: r.Reason}); err != nil {
		return nil, err
	}
	return listIncompatible(c)
}

func endIncompatible(c *call, r campaignReasonRequest) (*incompatibleResponse, error) {
	if err := c.Console.EndIncompatible(c.ctx(), c.caller, c.path("pair"), r.Reason); err != nil {
		return nil, err
	}
	return listIncompatible(c)
}
