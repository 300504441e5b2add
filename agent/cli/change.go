package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"baton"
	"baton/agent/syncer"
	"baton/internal/english"
)

// plannedChange is a change whose arguments are valid as far as the file shows.
type plannedChange struct {
	done    string // "granted X to Y"
	already string // "already granted: X to Y"
	do      func(context.Context, *baton.Connector) (baton.Outcome, error)
}

// readOnly reports whether provisioning is set to false, which switches all changes off. It is
// not enough that it is unset.
func (r *run) readOnly() bool { return r.Has("provisioning") && !r.Values.Bool("provisioning") }

// change makes one change and prints the outcome. As with the official connectors, the flag
// that asks for a change is enough; --provisioning limits what C1 may do.
func (r *run) change(ctx context.Context, op operation) error {
	if r.readOnly() {
		return baton.Errorf(baton.Refused, "%s is false, so nothing is changed", r.label("provisioning")).WithFix("unset it, or set it to true, to allow changes")
	}
	w, err := r.plan(ctx, op)
	if err != nil {
		return err
	}
	if err := r.checkRequired(); err != nil {
		return err
	}
	connector, _, err := r.open(ctx, 0, nil)
	if err != nil {
		return err
	}
	out, err := w.do(ctx, connector)
	if err != nil {
		if ctx.Err() != nil {
			return stopped(ctx, string(op), err).WithFix("run the same command again; it does not repeat a change that was made")
		}
		return err
	}
	r.outcome(op, w, out)
	return nil
}

func (r *run) plan(ctx context.Context, op operation) (plannedChange, error) {
	switch op {
	case opGrant:
		return r.planGrant(ctx)
	case opRevoke:
		return r.planRevoke(ctx)
	case opCreate:
		return r.planAccount()
	}
	return r.planAction()
}

func (r *run) planGrant(ctx context.Context) (w plannedChange, err error) {
	kind := r.Values.String("grant-principal-type")
	if err := knownType(r.program.Describe(), r.label("grant-principal-type"), kind); err != nil {
		return w, err
	}
	err = r.withFile(ctx, func(l *lookup) error {
		e, err := l.entitlement(r.Values.String("grant-entitlement"))
		if err != nil {
			return err
		}
		id, err := l.entitlementID(e.ID, e.Resource, e.Slug)
		if err != nil {
			return err
		}
		who, err := l.principal(kind, r.Values.String("grant-principal"))
		if err != nil {
			return err
		}
		if len(e.GrantableTo) > 0 && !slices.Contains(e.GrantableTo, kind) {
			return baton.Errorf(baton.Invalid, "%s cannot be granted to a %s", e.ID, kind).WithFix("it can be granted to a %s", english.Or(e.GrantableTo))
		}
		w = plannedChange{
			done:    fmt.Sprintf("granted %s%s to %s%s", e.ID, called(e.DisplayName), who.ID, called(who.DisplayName)),
			already: fmt.Sprintf("already granted: %s%s to %s%s", e.ID, called(e.DisplayName), who.ID, called(who.DisplayName)),
			do: func(ctx context.Context, c *baton.Connector) (baton.Outcome, error) {
				return c.Grant(ctx, baton.GrantRequest{Entitlement: id, Principal: who.ID, DryRun: r.Values.Bool("dry-run")})
			},
		}
		return nil
	})
	return w, err
}

func (r *run) planRevoke(ctx context.Context) (w plannedChange, err error) {
	err = r.withFile(ctx, func(l *lookup) error {
		g, err := l.grant(r.Values.String("revoke-grant"))
		if err != nil {
			return err
		}
		id, err := l.entitlementID(g.Entitlement, g.Resource, "")
		if err != nil {
			return err
		}
		e, who := g.Entitlement, g.Principal
		w = plannedChange{
			done:    fmt.Sprintf("revoked %s%s from %s", e, called(g.ResourceName), who),
			already: fmt.Sprintf("already revoked: %s%s from %s", e, called(g.ResourceName), who),
			do: func(ctx context.Context, c *baton.Connector) (baton.Outcome, error) {
				return c.Revoke(ctx, baton.GrantRequest{Entitlement: id, Principal: who, DryRun: r.Values.Bool("dry-run")})
			},
		}
		return nil
	})
	return w, err
}

func (r *run) planAccount() (plannedChange, error) {
	creation := r.program.Describe().Account
	if kind := r.Values.String("create-account-resource-type"); kind != "" && kind != creation.ResourceType {
		return plannedChange{}, baton.Errorf(baton.Invalid, "%s: there are no accounts of type %q", r.label("create-account-resource-type"), kind).
			WithFix("use %s, or leave it out", creation.ResourceType)
	}
	profile, err := object(r.Values.String("create-account-profile"))
	if err == nil {
		err = baton.CheckFields(creation.Fields, profile)
	}
	if err != nil {
		return plannedChange{}, baton.Errorf(baton.Invalid, "%s: %w", r.label("create-account-profile"), err).
			WithFix("%s", fieldHelp("--create-account-profile", creation.Fields))
	}
	email := r.Values.String("create-account-email")
	login := r.Values.String("create-account-login")
	if login == "" {
		login = email
	}
	return plannedChange{
		done:    "created an account for " + email,
		already: "already there: an account for " + email,
		do: func(ctx context.Context, c *baton.Connector) (baton.Outcome, error) {
			return c.Account.Create(ctx, baton.AccountRequest{Email: email, Login: login, Profile: profile, DryRun: r.Values.Bool("dry-run")})
		},
	}, nil
}

func (r *run) planAction() (plannedChange, error) {
	name := r.Values.String("invoke-action")
	described := r.program.Describe()
	action, ok := described.Action(name)
	if !ok {
		var names []string
		for _, a := range described.Actions {
			names = append(names, a.Name)
		}
		return plannedChange{}, baton.Errorf(baton.NotFound, "there is no action %q", name).WithFix("use %s", english.Or(names))
	}
	arguments, err := object(r.Values.String("invoke-action-args"))
	if err == nil {
		err = baton.CheckFields(action.Arguments, arguments)
	}
	if err != nil {
		return plannedChange{}, baton.Errorf(baton.Invalid, "%s: %w", r.label("invoke-action-args"), err).
			WithFix("%s", fieldHelp("--invoke-action-args", action.Arguments))
	}
	return plannedChange{
		done:    "ran " + name,
		already: name + ": nothing to change",
		do: func(ctx context.Context, c *baton.Connector) (baton.Outcome, error) {
			a, ok := c.Action(name)
			if !ok {
				return baton.Outcome{}, baton.Errorf(baton.Unsupported, "the action %s is not available with these settings", name)
			}
			return a.Run(ctx, baton.ActionRequest{Arguments: arguments, DryRun: r.Values.Bool("dry-run"), Previously: r.previously})
		},
	}, nil
}

// previously reports whether the file has the resource. A file that cannot be read counts as
// empty.
func (r *run) previously(id baton.ResourceID) (bool, error) {
	held, err := syncer.Holds(r.Values.String("file"), r.Values.String("c1z-temp-dir"), id)
	if err != nil {
		r.warn("the previous sync cannot be read: %v", err)
	}
	return held && err == nil, nil
}

// object parses a JSON object. An empty text is an empty object.
func object(text string) (map[string]any, error) {
	values := map[string]any{}
	if text == "" {
		return values, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&values); err != nil || values == nil {
		return nil, errors.New("it is not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON object")
	}
	return values, nil
}

// fieldHelp returns an example of the JSON that a flag takes.
func fieldHelp(flag string, fields []baton.Field) string {
	if len(fields) == 0 {
		return "leave it out: it takes no fields"
	}
	examples := [...]string{`"..."`, "true", "1", `["..."]`}
	var pairs []string
	for _, f := range fields {
		pairs = append(pairs, fmt.Sprintf("%q: %s", f.Name, examples[f.Kind]))
	}
	return fmt.Sprintf("write %s '{%s}'", flag, strings.Join(pairs, ", "))
}

// outcome prints the outcome of a change.
func (r *run) outcome(op operation, w plannedChange, out baton.Outcome) {
	dry := r.Values.Bool("dry-run")
	head := w.done
	switch {
	case out.Already:
		head = w.already
	case dry:
		head = "dry run, nothing was changed; the result would be: " + w.done
	}
	attrs := []any{"operation", string(op), "already", out.Already, "dry_run", dry}
	lines := []string{head}
	for _, text := range out.Done {
		lines = append(lines, "  "+text)
	}
	if len(out.Done) > 0 {
		attrs = append(attrs, "done", out.Done)
	}
	if out.Resource != nil {
		lines = append(lines, fmt.Sprintf("  %s%s", out.Resource.ID, called(out.Resource.DisplayName)))
		attrs = append(attrs, "resource", out.Resource.ID.String())
	}
	for _, name := range slices.Sorted(maps.Keys(out.Values)) {
		lines = append(lines, fmt.Sprintf("  %s: %v", name, out.Values[name]))
	}
	if len(out.Values) > 0 {
		attrs = append(attrs, "values", out.Values)
	}
	r.result(lines, head, attrs...)
	for _, text := range out.Warnings {
		r.warn("%s", text)
	}
}
