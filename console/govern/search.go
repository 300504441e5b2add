package govern

import (
	"context"
	"slices"
	"strings"
	"time"

	"baton/console"
	"baton/console/store"
)

// Found is the result of a search. More has the names of the lists that were cut off.
type Found struct {
	People       []console.Person
	Apps         []console.App
	Accounts     []FoundAccount
	Entitlements []FoundEntitlement
	More         []string
}

// FoundAccount is an account with its app.
type FoundAccount struct {
	AccountRow
	App console.App
}

// FoundEntitlement is an entitlement with its app.
type FoundEntitlement struct {
	store.Entitlement
	App console.App
}

// maxSearchedApps limits the apps whose accounts and entitlements are searched.
const maxSearchedApps = 200

// Search returns up to n each of the people, apps, accounts and entitlements that have the words of
// a text in their names, or an address that begins with it.
func (c *Console) Search(ctx context.Context, caller Caller, text string, n int) (f Found, err error) {
	if text = strings.TrimSpace(text); text == "" {
		return f, nil
	}
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		f = Found{}
		people, more, err := tx.SearchPersons(text, n, func(p console.Person) bool { return console.SeePeople.Of(me, console.Object{Person: &p}) })
		if err != nil {
			return err
		}
		f.People = people
		f.more("people", more)
		apps, err := tx.Apps(store.NameAfter{}, store.PageSize)
		if err != nil {
			return err
		}
		searched := 0
		words := console.SearchWords(text)
		for _, a := range apps {
			o := console.Object{App: &a}
			if !console.SeeAccessCounts.Of(me, o) {
				continue
			}
			if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !beginsWord(a.Name, w) }) {
				if len(f.Apps) < n {
					f.Apps = append(f.Apps, a)
				} else {
					f.more("applications", true)
				}
			}
			if !console.SeeAccess.Of(me, o) {
				continue
			}
			if searched++; searched > maxSearchedApps {
				f.more("accounts", true)
				continue
			}
			if err := f.addAccess(tx, a, text, n); err != nil {
				return err
			}
		}
		return nil
	})
	return f, err
}

// beginsWord reports whether a word of a name begins with word.
func beginsWord(name, word string) bool {
	return slices.ContainsFunc(console.SearchWords(name), func(have string) bool { return strings.HasPrefix(have, word) })
}

func (f *Found) more(kind string, more bool) {
	if more && !slices.Contains(f.More, kind) {
		f.More = append(f.More, kind)
	}
}

func (f *Found) addAccess(tx *store.Tx, a console.App, text string, n int) error {
	m, err := tx.Moment(a.ID, time.Time{})
	if err != nil {
		return err
	}
	if left := n - len(f.Accounts); left > 0 {
		page, err := tx.FilterAccounts(m, store.AccountFilter{Words: text}, store.ResourceAfter{}, left)
		if err != nil {
			return err
		}
		for _, r := range page.Rows {
			row, err := accountRow(tx, m, a, r)
			if err != nil {
				return err
			}
			f.Accounts = append(f.Accounts, FoundAccount{row, a})
		}
		f.more("accounts", page.Next != nil)
	} else {
		f.more("accounts", true)
	}
	if left := n - len(f.Entitlements); left > 0 {
		page, err := tx.FilterEntitlements(m, store.EntitlementFilter{Words: text}, store.EntitlementAfter{}, left)
		if err != nil {
			return err
		}
		for _, e := range page.Rows {
			f.Entitlements = append(f.Entitlements, FoundEntitlement{e, a})
		}
		f.more("entitlements", page.Next != nil)
	} else {
		f.more("entitlements", true)
	}
	return nil
}
