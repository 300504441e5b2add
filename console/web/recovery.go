package web

import (
	"fmt"
	"strconv"
	"strings"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type recoveryPage struct {
	Head appHead
	govern.RecoveryCard
	Problem *problem
}

// recoveryShown shows the recovery card of an app, or sends it as a file that needs no console.
func recoveryShown(c *call) error {
	download := c.r.URL.Query().Get("format") == "text"
	card, err := c.console().RecoveryCard(c.ctx(), c.caller, c.app(), download)
	if err != nil {
		return err
	}
	if download {
		h := c.w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="recovery-card.txt"`)
		_, err := c.w.Write([]byte(recoveryText(card)))
		return err
	}
	return c.recoveryCard(card, nil)
}

// recoveryCard shows the card, and what is wrong with the form on it.
func (c *call) recoveryCard(card govern.RecoveryCard, wrong error) error {
	head, err := c.appHead("recovery")
	if err != nil {
		return err
	}
	status := 200
	if wrong != nil {
		status = statusOf(wrong)
	}
	return c.show(status, "recovery", "Recovery card of "+card.App.Name, recoveryPage{head, card, problemOf(wrong)})
}

// recoveryPrinted records that the caller keeps a copy of the card.
func recoveryPrinted(c *call) error {
	version, _ := strconv.ParseInt(c.r.FormValue("version"), 10, 64) // 0: none is kept
	wrong := c.console().KeepRecoveryCopy(c.ctx(), c.caller, c.app(), version)
	if wrong == nil {
		return c.redirect("/applications/" + string(c.app()) + "/recovery")
	}
	if baton.KindOf(wrong) != baton.Refused {
		return wrong
	}
	card, err := c.console().RecoveryCard(c.ctx(), c.caller, c.app(), false)
	if err != nil {
		return err
	}
	return c.recoveryCard(card, wrong)
}

// recoveryText returns the card as plain text.
func recoveryText(card govern.RecoveryCard) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("RECOVERY CARD: %s", text(card.App.Name))
	line("version %d, made on %s; keep it where you find it while the console and the identity provider are down\n", card.Version, exact(card.Made))
	line("As of:")
	for _, s := range card.Sources {
		if s.Sync == nil {
			line("  %s: no sync yet", text(s.Connector.Name))
			continue
		}
		line("  %s: the sync of %s, SHA-256 %s", text(s.Connector.Name), exact(s.Sync.Began), digest(s.Sync.SHA256))
	}
	line("\nWho is administrator (at least %d must be):", card.Minimum)
	for _, a := range card.Admins {
		line("  %s", adminLine(a))
	}
	if len(card.Admins) == 0 {
		line("  nobody, as far as the syncs show")
	}
	line("\n1. Settings of the connector, in a shell. Nothing is changed before a command runs without --dry-run.")
	line("     export BATON_SCIM_URL=… BATON_SCIM_TOKEN=…     # or the variables of the connector's own settings")
	line("2. Give administrator to an enabled account (ACCOUNT is the id of one below, or another one):")
	for _, g := range card.Groups {
		line("   %s: %s", text(g.Role.Name), text(g.Entitlement.Name))
		line("     %s --dry-run", text(g.Grant(nil)))
		for _, a := range card.Admins {
			if a.Stream == g.Entitlement.Stream {
				line("     %s", text(g.Grant(&a)))
			}
		}
	}
	line("3. Enable a disabled account:")
	for _, a := range card.Admins {
		line("     %s", text(a.Enable()))
	}
	for _, s := range card.Sources {
		if len(s.Product.Recovery) == 0 && s.Product.Support == "" {
			continue
		}
		line("\n%s:", text(s.Product.DisplayName))
		for i, step := range s.Product.Recovery {
			line("  %d. %s", i+1, step)
		}
		line("  Help: %s", s.Product.Support)
	}
	line("\nOwners of the application:")
	for _, p := range card.Owners {
		line("  %s %s", text(p.Name), text(strings.Join(p.Emails, " ")))
	}
	return b.String()
}

func adminLine(a govern.RecoveryAdmin) string {
	state := "does not count: disabled, of nobody, or of unknown role"
	if a.Counts {
		state = "counts"
	}
	owner := "belongs to nobody"
	if a.Owner.ID != "" {
		owner = "of " + a.Owner.Name
	}
	login := ""
	if a.Account != nil {
		login = a.Account.Login
	}
	return text(fmt.Sprintf("%s <%s>, %s, id %s: %s", a.Name, login, owner, a.ID, state))
}

// mayRecover reports whether the caller sees the recovery card of an app.
func (c *call) mayRecover(a console.App) bool {
	return console.SeeRawFiles.Of(c.caller.Person, console.Object{App: &a})
}
