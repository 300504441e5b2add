package config_test

import (
	"fmt"
	"strings"
	"testing"

	"baton"
	"baton/console"
	"baton/console/store"
)

const oidc = `
oidc:
  - name: okta
    label: Okta
    issuer: https://okta.example.test
    client_id: c1
    client_secret: s3cret
    groups_claim: groups
    groups: {Admins: [super-administrator], Audit: [auditor, helpdesk]}
people:
  - {email: ana@example.test, name: Ana, roles: [super-administrator]}
  - {email: ben@example.test, name: Ben, roles: [helpdesk]}
`

// TestProvider checks that providers are created and changed, and that roles from groups stay.
func TestProvider(t *testing.T) {
	d := newDesk(t)
	if _, err := d.apply(oidc); err != nil {
		t.Fatal(err)
	}
	check := func(want, secret string) {
		t.Helper()
		d.view(func(tx *store.Tx) error {
			p, err := tx.Provider("okta")
			p.Version = 0
			if got := fmt.Sprint(p); err != nil || got != want {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
			s, err := tx.ProviderSecret("okta")
			if err != nil || s.Reveal() != secret {
				t.Errorf("secret %q, %v", s.Reveal(), err)
			}
			return nil
		})
	}
	check("{okta Okta https://okta.example.test c1 [email profile] groups [{Admins super-administrator} {Audit auditor} {Audit helpdesk}] false true 0}", "s3cret")

	// Ben has a role from a group. Applying the file again changes nothing.
	var ben console.ID
	err := d.s.Update(t.Context(), console.By{At: noon, Actor: console.Console}, func(tx *store.Tx) error {
		p, err := tx.PersonByEmail("ben@example.test")
		if err != nil {
			return err
		}
		ben = p.ID
		_, err = tx.MapRoles(ben, "okta", []console.ConsoleRole{console.Auditor})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := d.events()
	if _, err := d.apply(oidc); err != nil || d.events() != before {
		t.Errorf("the same file again appends %d events, %v", d.events()-before, err)
	}
	other := strings.NewReplacer("roles: [helpdesk]", "roles: [campaign-administrator]", "client_id: c1", "client_id: c2", "s3cret", "n3w", "label: Okta", "off: true").Replace(oidc)
	if _, err := d.apply(other); err != nil {
		t.Fatal(err)
	}
	check("{okta okta https://okta.example.test c2 [email profile] groups [{Admins super-administrator} {Audit auditor} {Audit helpdesk}] false false 0}", "n3w")
	d.view(func(tx *store.Tx) error {
		p, err := tx.Person(ben)
		if got := fmt.Sprint(p.Roles); err != nil || got != "[auditor campaign-administrator]" {
			t.Errorf("Ben has %s, %v", got, err)
		}
		return nil
	})

	moved := strings.Replace(strings.Replace(oidc, "okta.example.test", "other.example.test", 1), "    client_secret: s3cret\n", "", 1)
	if _, err := d.apply(moved); baton.KindOf(err) != baton.Invalid || !strings.Contains(err.Error(), "client_secret is not given") {
		t.Errorf("another issuer without the secret: %v", err)
	}
	check("{okta okta https://okta.example.test c2 [email profile] groups [{Admins super-administrator} {Audit auditor} {Audit helpdesk}] false false 0}", "n3w")
}

// TestProviderWrong checks that a file with a wrong provider is refused, with all problems.
func TestProviderWrong(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply(`
oidc:
  - {name: A, issuer: https://a.example.test, client_id: c}
  - {name: b, issuer: http://b.example.test, client_id: c}
  - {name: c, issuer: https://a.example.test, client_id: c, groups_claim: g, groups: {x: [king]}}
`)
	for _, want := range []string{"oidc 1: the name in addresses", "oidc 2: ", "is not reached over https", `oidc 3: there is no role "king"`, "twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not have %q", err, want)
		}
	}
}

// TestProviderAdministers checks that a super administrator who signs in with a provider is enough:
// nobody needs a password.
func TestProviderAdministers(t *testing.T) {
	const passwords = `
people:
  - {email: ana@example.test, name: Ana, roles: [super-administrator]}
  - {email: cem@example.test, name: Cem, password_file: password, totp_secret: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
`
	if _, err := newDesk(t).apply(passwords); baton.KindOf(err) != baton.Refused {
		t.Errorf("without a provider: %v", err)
	}
	provider := strings.Split(oidc, "people:")[0]
	if _, err := newDesk(t).apply(provider + passwords); err != nil {
		t.Errorf("with one: %v", err)
	}
	if _, err := newDesk(t).apply(strings.Replace(provider, "label: Okta", "off: true", 1) + passwords); baton.KindOf(err) != baton.Refused {
		t.Errorf("with one that is off: %v", err)
	}
}
