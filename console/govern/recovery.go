package govern

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// RecoveryCard holds what somebody needs who has to give administrators back to an app while neither
// the console nor the identity provider can be used.
type RecoveryCard struct {
	AppSummary
	Made    time.Time
	Admins  []RecoveryAdmin // who holds an administrator entitlement, those who count in front
	More    bool            // there are further ones
	Minimum int
	Groups  []RecoveryGroup
	Version int64 // of what it says
	// Copy is the printed copy that the caller keeps; nil: none. Changed says what is different since.
	Copy    *console.CardCopy
	Changed string
	// Copies is how many people keep a copy, and Outdated how many of these copies are out of date.
	Copies, Outdated int
	// Sources are the connectors of the app, with the syncs that the card is of.
	Sources []RecoverySource
}

// RecoveryAdmin is an account that holds an administrator entitlement.
type RecoveryAdmin struct {
	AccountRow
	Program string
	Counts  bool // it is enabled, of a person who is active, and certainly an administrator
}

// RecoveryGroup is an entitlement that means administrator.
type RecoveryGroup struct {
	Role        console.AppRole
	Entitlement store.Entitlement
	Program     string // of the connector that grants it
}

// RecoverySource is a connector of an app with its newest sync.
type RecoverySource struct {
	Connector console.Connector
	Product   Product // zero if it is not in the catalogue
	Sync      *console.Sync
}

// Program returns the name of the connector's program.
func (s RecoverySource) Program() string {
	if s.Product.Name != "" && s.Product.Name != Generic.Name {
		return s.Product.Binary()
	}
	return cmp.Or(s.Connector.Product, "baton-…")
}

// maxRecoveryAdmins limits the accounts on a card.
const maxRecoveryAdmins = 100

// RecoveryCard returns the recovery card of an app as of its newest syncs. A download is an event.
func (c *Console) RecoveryCard(ctx context.Context, caller Caller, app console.ID, download bool) (card RecoveryCard, err error) {
	run := c.read
	if download {
		run = c.change
	}
	err = run(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		card = RecoveryCard{Made: c.now()}
		a, err := seeApp(tx, me, app, console.SeeRawFiles)
		if err != nil {
			return err
		}
		if card.AppSummary, err = c.summarize(tx, a); err != nil {
			return err
		}
		card.Minimum = a.MinimumAdmins
		if err := card.addCopies(tx, a.ID, me.Canonical()); err != nil {
			return err
		}
		m, err := tx.Moment(app, time.Time{})
		if err != nil {
			return err
		}
		programs := map[console.Stream]string{}
		for _, con := range card.Connectors {
			s := RecoverySource{Connector: con}
			if p, err := c.Product(strings.TrimPrefix(con.Product, "baton-")); err == nil {
				s.Product = p
			}
			if s.Sync, err = tx.HeadSync(con.Stream); err != nil {
				return err
			}
			programs[con.Stream] = s.Program()
			card.Sources = append(card.Sources, s)
		}
		if err := card.addGroups(tx, m, a, programs); err != nil {
			return err
		}
		if err := card.addAdmins(tx, m, a, programs); err != nil || !download {
			return err
		}
		return exported(tx, console.Event{Kind: "list.exported", App: app, Object: "recovery card"}, map[string]any{"format": "text"})
	})
	return card, err
}

// addCopies adds the version of the card, and who keeps a copy of which.
func (card *RecoveryCard) addCopies(tx *store.Tx, app, me console.ID) error {
	content, version, err := tx.RecoveryCard(app)
	if err != nil {
		return err
	}
	card.Version = version
	copies, err := tx.RecoveryCopies(app)
	for _, c := range copies {
		card.Copies++
		outdated := !c.Content.Equal(content)
		if outdated {
			card.Outdated++
		}
		if c.Person == me {
			card.Copy = &c
			if outdated {
				card.Changed = content.Since(c.Content)
			}
		}
	}
	return err
}

// KeepRecoveryCopy records that the caller printed a version of the recovery card of an app and keeps
// the copy; version 0: that the caller keeps none.
func (c *Console) KeepRecoveryCopy(ctx context.Context, caller Caller, app console.ID, version int64) error {
	return c.change(ctx, caller, reading.in(app), func(tx *store.Tx, me console.Person) error {
		if _, err := seeApp(tx, me, app, console.SeeRawFiles); err != nil {
			return err
		}
		return tx.KeepRecoveryCopy(app, me.Canonical(), version)
	})
}

func (card *RecoveryCard) addGroups(tx *store.Tx, m store.Moment, a console.App, programs map[console.Stream]string) error {
	for _, role := range a.Roles.Roles {
		if !role.Admin {
			continue
		}
		for _, key := range role.Entitlements {
			e, err := tx.Entitlement(m, key)
			if baton.KindOf(err) == baton.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			card.Groups = append(card.Groups, RecoveryGroup{role, e, programs[e.Stream]})
		}
	}
	return nil
}

func (card *RecoveryCard) addAdmins(tx *store.Tx, m store.Moment, a console.App, programs map[console.Stream]string) error {
	if len(a.Roles.AdminEntitlements()) == 0 {
		return nil
	}
	page, err := tx.FilterAccounts(m, store.AccountFilter{AnyOf: a.Roles.AdminEntitlements(), Roles: a.Roles}, store.ResourceAfter{}, maxRecoveryAdmins)
	if err != nil {
		return err
	}
	card.More = page.Next != nil
	rows, err := accountRows(tx, m, a, page.Rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		counts := r.Role.Floor != nil && r.Role.Floor.Admin && console.HasAccount(true, r.Status) && r.Type.Kind.Human() && r.Owner.ID != "" && r.Owner.Status == console.PersonActive
		card.Admins = append(card.Admins, RecoveryAdmin{r, programs[r.Stream], counts})
	}
	slices.SortStableFunc(card.Admins, func(x, y RecoveryAdmin) int {
		return cmp.Compare(asNumber(y.Counts), asNumber(x.Counts))
	})
	return nil
}

func asNumber(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Counting returns how many accounts count as administrators.
func (card RecoveryCard) Counting() (n int) {
	for _, a := range card.Admins {
		n += asNumber(a.Counts)
	}
	return n
}

// Grant returns the command that gives an administrator entitlement to an account. Without an
// account, it names the place of its id.
func (g RecoveryGroup) Grant(a *RecoveryAdmin) string {
	typ, id := "user", "ACCOUNT"
	if a != nil {
		typ, id = a.Resource.Type, a.Resource.ID
	}
	return g.Program + " --grant-entitlement " + shellQuoted(g.Entitlement.ID) + " --grant-principal " + shellQuoted(id) + " --grant-principal-type " + shellQuoted(typ)
}

// Pointer returns the account for [RecoveryGroup.Grant].
func (a RecoveryAdmin) Pointer() *RecoveryAdmin { return &a }

// Enable returns the command that enables the account.
func (a RecoveryAdmin) Enable() string {
	return a.Program + ` --invoke-action enable_user --invoke-action-args ` + shellQuoted(`{"user_id": `+jsonText(a.Resource.ID)+`}`)
}

// shellQuoted returns text as one word of a POSIX shell.
func shellQuoted(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func jsonText(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // cannot happen: a string always encodes
	}
	return string(b)
}
