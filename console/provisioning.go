package console

// Provisioning says how accounts of an app are made, and where it is decided who holds what,
// if not in the app.
type Provisioning struct {
	// Fields are expressions by the name of a connector's field of new accounts. A field
	// without one is filled by its name, from what is known about the person.
	Fields map[string]string `json:"fields,omitempty"`
	// NoWelcome says that the app itself tells people that they have an account.
	NoWelcome bool   `json:"no_welcome,omitempty"`
	Welcome   string `json:"welcome,omitempty"` // what people are told beside that
	// MasteredIn names where it is decided who holds the app's entitlements; "" if nobody
	// said so. Masters says it of single entitlements; [HereItself]: in the app.
	MasteredIn string                    `json:"mastered_in,omitempty"`
	Masters    map[EntitlementKey]string `json:"masters,omitempty"`
	Version    int64                     `json:"version"`
}

// HereItself says of an entitlement that the app itself decides who holds it.
const HereItself = "-"

// MasterOf returns where it is decided who holds an entitlement: "" in the app itself. known
// is false if nobody said so.
func (p Provisioning) MasterOf(e EntitlementKey) (where string, known bool) {
	where, known = p.Masters[e]
	if !known && p.MasteredIn != "" {
		where, known = p.MasteredIn, true
	}
	if where == HereItself {
		where = ""
	}
	return where, known
}
