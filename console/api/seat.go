package api

import (
	"strconv"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// seatsMessage holds the seats of an application.
type seatsMessage struct {
	AppID     string       `json:"appId"`
	Purchased int          `json:"purchased"` // 0: nobody entered them
	Renewal   string       `json:"renewal"`   // "2027-01-31"; empty: not entered
	Block     bool         `json:"block"`
	Otherwise list[string] `json:"otherwise"` // names of thresholds that are met in another way
	Version   int64        `json:"version,string"`
	ChangedAt stamp        `json:"changedAt"`
	ChangedBy string       `json:"changedBy"` // id of the person
	// UsedAtLeast is a lower bound.
	UsedAtLeast int                   `json:"usedAtLeast"`
	Reserved    int                   `json:"reserved"`
	Unknown     string                `json:"unknown"` // why the use is not established; empty: it is
	Thresholds  list[seatThreshold]   `json:"thresholds"`
	Free        list[seatToFree]      `json:"free"`
	NotShown    list[accountNotShown] `json:"notShown"`
}

type seatThreshold struct {
	Name      string `json:"name"`
	Seats     int    `json:"seats"`
	Otherwise string `json:"otherwise"`
	Text      string `json:"text"`
}

// seatToFree is an account whose seat could be freed.
type seatToFree struct {
	AccountID   string       `json:"accountId"`
	DisplayName text         `json:"displayName"`
	Why         list[string] `json:"why"`
}

// accountNotShown is an account that was made and that no sync shows.
type accountNotShown struct {
	OperationID string `json:"operationId"`
	UserID      string `json:"userId"`
}

func getSeats(c *call) (*seatsMessage, error) {
	v, err := c.Console.Seats(c.ctx(), c.caller, c.path("app"))
	if err != nil {
		return nil, err
	}
	return seatsOf(v), nil
}

func seatsOf(v govern.SeatsView) *seatsMessage {
	m := seatsMessage{AppID: string(v.App.ID), Purchased: v.Seats.Purchased, Renewal: v.Seats.RenewalDay(), Block: v.Seats.Block, Otherwise: v.Seats.Otherwise, Version: v.Seats.Version,
		ChangedAt: stamp(v.Seats.At), ChangedBy: string(v.Seats.By.Person()), UsedAtLeast: v.Use.Used(), Reserved: v.Use.Reserved(), Unknown: v.Unknown}
	for _, t := range v.Thresholds {
		m.Thresholds = append(m.Thresholds, seatThreshold{t.Name, t.Seats, t.Otherwise, t.Sentence})
	}
	for _, f := range v.Free {
		m.Free = append(m.Free, seatToFree{key(f.Key), text(f.Name), f.Why})
	}
	for _, u := range v.Unshown {
		m.NotShown = append(m.NotShown, accountNotShown{string(u.Operation), string(u.Person.ID)})
	}
	return &m
}

// setSeatsRequest is the body of a call that sets the purchased seats of an application.
type setSeatsRequest struct {
	Purchased int      `json:"purchased"`
	Renewal   string   `json:"renewal"`
	Block     bool     `json:"block"`
	Otherwise []string `json:"otherwise"`
	Version   int64    `json:"version,string"` // the newest one; 0 for the first
}

func setSeats(c *call, r setSeatsRequest) (*seatsMessage, error) {
	renewal, err := console.ParseRenewal(r.Renewal)
	if err != nil {
		return nil, err
	}
	s := console.Seats{App: c.path("app"), Purchased: r.Purchased, Renewal: renewal, Block: r.Block, Otherwise: r.Otherwise, Version: r.Version}
	if err := c.Console.SetSeats(c.ctx(), c.caller, s); err != nil {
		return nil, err
	}
	return getSeats(c)
}

// severalRolesResponse lists accounts with several roles.
type severalRolesResponse struct {
	List list[severalRoles] `json:"list"`
	More bool               `json:"more"` // there are further ones
}

type severalRoles struct {
	AccountID   string         `json:"accountId"`
	DisplayName text           `json:"displayName"`
	Roles       list[heldRole] `json:"roles"` // the most powerful first
	CountsAs    string         `json:"countsAs"`
	RoleUnknown bool           `json:"roleUnknown"`
}

type heldRole struct {
	Name           string       `json:"name"`
	EntitlementIDs list[string] `json:"entitlementIds"`
}

func listSeveralRoles(c *call) (*severalRolesResponse, error) {
	v, err := c.Console.SeveralRoles(c.ctx(), c.caller, c.path("app"), 0, "")
	if err != nil {
		return nil, err
	}
	out := severalRolesResponse{More: v.More}
	for _, r := range v.Rows {
		m := severalRoles{AccountID: key(r.Key), DisplayName: text(r.Name), RoleUnknown: r.RoleUnknown()}
		if r.Role.Risk != nil {
			m.CountsAs = r.Role.Risk.Name
		}
		for _, h := range r.Held {
			role := heldRole{Name: h.Role.Name}
			for _, e := range h.Gives {
				role.EntitlementIDs = append(role.EntitlementIDs, key(e.Key))
			}
			m.Roles = append(m.Roles, role)
		}
		out.List = append(out.List, m)
	}
	return &out, nil
}

// leaveOneRoleRequest is the body of a call that leaves one of several roles.
type leaveOneRoleRequest struct {
	AccountID string `json:"accountId"`
	Keep      string `json:"keep"` // "lowest" or "highest"
	Why       string `json:"why"`
}

type leaveOneRoleResponse struct {
	List list[roleRemoved] `json:"list"`
}

// roleRemoved is the result of one removal.
type roleRemoved struct {
	EntitlementID string `json:"entitlementId"`
	OperationID   string `json:"operationId"`
	TaskID        string `json:"taskId"` // the request, where others decide first
	Error         string `json:"error"`  // why it was refused
}

func leaveOneRole(c *call, r leaveOneRoleRequest) (*leaveOneRoleResponse, error) {
	account, err := strconv.ParseInt(r.AccountID, 10, 64)
	if err != nil || account < 1 {
		return nil, baton.Errorf(baton.NotFound, "no account")
	}
	if r.Keep == "" {
		return nil, baton.Errorf(baton.Invalid, "it is not said which role remains").WithFix("Write lowest or highest.")
	}
	app := c.path("app")
	v, err := c.Console.SeveralRoles(c.ctx(), c.caller, app, console.ResourceKey(account), govern.KeptRole(r.Keep))
	if err != nil {
		return nil, err
	}
	var removals []govern.RoleRemoval
	for _, row := range v.Rows {
		removals = append(removals, row.Removals...)
	}
	done, err := c.Console.LeaveOneRole(c.ctx(), c.caller, app, removals, r.Why)
	out := leaveOneRoleResponse{}
	for _, d := range done {
		m := roleRemoved{EntitlementID: key(d.Entitlement.Key), OperationID: string(d.Done.Operation), TaskID: string(d.Done.Request)}
		if d.Err != nil {
			m.Error = d.Err.Error()
		}
		out.List = append(out.List, m)
	}
	return &out, err
}
