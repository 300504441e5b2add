package govern

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"baton"
	"baton/console"
	"baton/console/store"
)

// domainsSetting names the setting with the company's e-mail domains, a JSON list.
const domainsSetting = "company-domains"

// domains are the company's e-mail domains, in lower case.
type domains []string

func companyDomains(tx *store.Tx) (d domains, err error) {
	b, err := tx.Setting(domainsSetting)
	if err != nil || len(b) == 0 {
		if baton.KindOf(err) == baton.NotFound {
			err = nil
		}
		return nil, err
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, baton.Errorf(baton.Corrupt, "the domains of the company: %w", err)
	}
	return d, nil
}

// external reports whether an account belongs to somebody outside the company: it has addresses, and
// none of them is in a domain of the company or a subdomain. If no domains are set, the result is
// false.
func (d domains) external(r store.Resource) bool {
	if len(d) == 0 || r.Account == nil {
		return false
	}
	found := false
	for _, address := range append([]string{r.Account.Login}, r.Account.Emails...) {
		_, domain, ok := cutLast(console.NormalizeEmail(address), "@")
		if !ok {
			continue
		}
		found = true
		if slices.ContainsFunc(d, func(own string) bool { return domain == own || strings.HasSuffix(domain, "."+own) }) {
			return false
		}
	}
	return found
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// CompanyDomains returns the company's e-mail domains, and whether the caller may change them.
func (c *Console) CompanyDomains(ctx context.Context, caller Caller) (all []string, mayChange bool, err error) {
	err = c.view(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.SeeSettings.Check(me, console.Object{}); err != nil {
			return err
		}
		d, err := companyDomains(tx)
		all, mayChange = d, console.ManagePeople.Of(me, console.Object{})
		return err
	})
	return all, mayChange, err
}

const maxDomains = 500

// SetCompanyDomains sets the company's e-mail domains. Accounts with addresses, but none in these
// domains or their subdomains, count as external.
func (c *Console) SetCompanyDomains(ctx context.Context, caller Caller, all []string) error {
	return c.update(ctx, caller, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePeople.Check(me, console.Object{}); err != nil {
			return err
		}
		return SetDomains(tx, all)
	})
}

// SetDomains sets the domains of the company's e-mail addresses.
func SetDomains(tx *store.Tx, all []string) error {
	var d domains
	for _, name := range all {
		name = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
		if name == "" {
			continue
		}
		if strings.ContainsAny(name, "@/: \t") || !strings.Contains(name, ".") || len(name) > 253 {
			return baton.Errorf(baton.Invalid, "%q is no domain", name).WithFix("Write domains as example.com, one in a line.")
		}
		d = append(d, name)
	}
	slices.Sort(d)
	if d = slices.Compact(d); len(d) > maxDomains {
		return baton.Errorf(baton.Invalid, "there are more than %d domains", maxDomains)
	}
	b, err := json.Marshal(d)
	if err != nil {
		return baton.Errorf(baton.Internal, "encode domains: %w", err)
	}
	return tx.SetSetting(domainsSetting, b)
}
