package govern

import (
	"context"
	"encoding/json"
	"slices"

	"baton"
	"baton/console"
	"baton/console/store"
	"baton/console/store/rpcstore"
)

// RemoveConnector removes a connector that shows no access, and revokes its credentials. Its history
// stays.
func (c *Console) RemoveConnector(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring.at(id), func(tx *store.Tx, me console.Person) error {
		con, a, err := seeConnector(tx, me, id, console.ConfigureConnectors)
		if err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		return DeleteConnector(tx, con, a)
	})
}

// DeleteConnector does what [Console.RemoveConnector] does, for a caller who may.
func DeleteConnector(tx *store.Tx, con console.Connector, a console.App) error {
	if _, err := tx.LockApp(a.ID); err != nil {
		return err
	}
	if err := checkIdle(tx, a, con.ID); err != nil {
		return err
	}
	credentials, err := rpcstore.Credentials(tx, string(con.ID))
	if err != nil {
		return err
	}
	for _, one := range credentials {
		if err := rpcstore.RevokeCredential(tx, one.ClientID); err != nil {
			return err
		}
	}
	return tx.RemoveConnector(con.ID)
}

// RemoveApp removes an app that has no connectors, no open requests and nothing else that is under
// way. Its history stays.
func (c *Console) RemoveApp(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring.in(id), func(tx *store.Tx, me console.Person) error {
		a, err := seeApp(tx, me, id, console.ConfigureApps)
		if err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		return DeleteApp(tx, a)
	})
}

// DeleteApp does what [Console.RemoveApp] does, for a caller who may.
func DeleteApp(tx *store.Tx, a console.App) error {
	id := a.ID
	if _, err := tx.LockApp(id); err != nil {
		return err
	}
	open, err := tx.Requests(store.RequestFilter{App: id, Open: true}, 0, 1)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return baton.Errorf(baton.Refused, "request %d for this application is open", open[0].Number).WithFix("Let it end, or cancel it.")
	}
	if err := checkIdle(tx, a, ""); err != nil {
		return err
	}
	amendments, err := tx.OpenAmendments()
	if err != nil {
		return err
	}
	for _, m := range amendments {
		if m.App == id {
			return baton.Errorf(baton.Refused, "a change of this application waits for a second person").WithFix("Confirm or discard it first.")
		}
	}
	if err := checkUnused(tx, id); err != nil {
		return err
	}
	return tx.RemoveApp(id)
}

// checkIdle refuses to remove an app, or one of its connectors, while operations are under way.
func checkIdle(tx *store.Tx, a console.App, connector console.ID) error {
	o, err := tx.OperationAlive(a.ID, connector)
	if err == nil && o != nil {
		err = baton.Errorf(baton.Refused, "an operation in “%s” is not over", a.Name).WithFix("Wait for it, or cancel it on the page of the application's operations.")
	}
	return err
}

// checkUnused refuses to remove an app whose access is needed elsewhere: by a requirement of another
// app, or by a policy that asks its holders.
func checkUnused(tx *store.Tx, app console.ID) error {
	requirements, err := tx.ActiveRequirements("")
	if err != nil {
		return err
	}
	for _, r := range requirements {
		if r.App == app || !slices.ContainsFunc(r.Needs, func(n console.Need) bool { return n.App == app }) {
			continue
		}
		switch of, err := presentApp(tx, r.App); {
		case err == nil:
			return baton.Errorf(baton.Refused, "a requirement of “%s” needs access of this application", of.Name).WithFix("Change that requirement first.")
		case baton.KindOf(err) != baton.NotFound:
			return err
		}
	}
	policies, err := tx.Policies()
	if err != nil {
		return err
	}
	for _, p := range policies {
		for _, r := range p.Rules {
			for _, s := range r.Steps {
				if slices.ContainsFunc(slices.Concat(s.Ask, s.Fallback, s.Reassign, s.Escalate), func(a console.Approver) bool { return a.App == app }) {
					return baton.Errorf(baton.Refused, "the policy “%s” asks holders of this application's access", p.Name).WithFix("Change that policy first.")
				}
			}
		}
	}
	return nil
}

// RemovePolicy removes a policy that nothing chooses and no open request follows. Its versions stay,
// for the requests that followed them.
func (c *Console) RemovePolicy(ctx context.Context, caller Caller, id console.ID) error {
	return c.change(ctx, caller, configuring, func(tx *store.Tx, me console.Person) error {
		if err := console.ManagePolicies.Check(me, console.Object{}); err != nil {
			return err
		}
		if _, err := tx.Policy(id); err != nil {
			return err
		}
		if err := c.recentOrClient(caller); err != nil {
			return err
		}
		return DeletePolicy(tx, id)
	})
}

// DeletePolicy does what [Console.RemovePolicy] does, for a caller who may.
func DeletePolicy(tx *store.Tx, id console.ID) error {
	if _, builtIn := console.BuiltInPolicy(id); builtIn {
		return baton.Errorf(baton.Refused, "this policy comes with the console").WithFix("Choose other policies where it is not wanted.")
	}
	chosen, err := tx.ChoosingSettings(id)
	if err != nil {
		return err
	}
	if len(chosen) > 0 {
		a, err := tx.App(chosen[0].App)
		if err != nil {
			return err
		}
		return baton.Errorf(baton.Refused, "the policy is chosen in “%s”, and %d times in all", a.Name, len(chosen)).WithFix("Choose another one there first.")
	}
	amendments, err := tx.OpenAmendments()
	if err != nil {
		return err
	}
	for _, m := range amendments {
		var s console.SettingsVersion
		if m.Object == string(id) || m.Kind == console.AmendSettings && json.Unmarshal(m.After, &s) == nil && s.Settings.Chooses(id) {
			return baton.Errorf(baton.Refused, "a change with this policy waits for a second person").WithFix("Confirm or discard it first.")
		}
	}
	for before := int64(0); ; {
		page, err := tx.Requests(store.RequestFilter{Open: true}, before, store.PageSize)
		if err != nil {
			return err
		}
		for _, r := range page {
			if before = r.Number; r.Policy == id {
				return baton.Errorf(baton.Refused, "request %d follows this policy and is open", r.Number).WithFix("Let it end, or cancel it.")
			}
		}
		if len(page) < store.PageSize {
			return tx.RemovePolicy(id)
		}
	}
}
