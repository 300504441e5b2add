package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"baton"
	"baton/internal/pause"
	"baton/wire"
)

// errReadOnly is the reason to refuse a change if Config.ReadOnly is set.
var errReadOnly = errors.New("provisioning is switched off, so this connector changes nothing")

// withoutChanges returns the connector without capabilities to change and without actions, for
// the Hello of a read-only service.
func withoutChanges(c *baton.Connector) *baton.Connector {
	reader := *c
	reader.Grant, reader.Revoke, reader.Account, reader.Actions = nil, nil, nil, nil
	reader.ResourceTypes = slices.Clone(c.ResourceTypes)
	for i := range reader.ResourceTypes {
		reader.ResourceTypes[i].Provision = false
	}
	return &reader
}

// mayAct refuses every change of a service that is read-only.
func (s *service) mayAct() error {
	if !s.cfg.ReadOnly {
		return nil
	}
	return baton.Errorf(baton.Refused, "%w", errReadOnly).
		WithFix("to allow changes, set BATON_PROVISIONING to true instead of false, and restart")
}

// mayProvision refuses grants, revocations and new accounts unless they were switched on.
func (s *service) mayProvision() error {
	if err := s.mayAct(); err != nil || s.cfg.Provisioning {
		return err
	}
	return baton.Errorf(baton.Refused, "provisioning is not enabled").
		WithFix("start the connector with BATON_PROVISIONING=true")
}

// mayChange checks that the connector changes entitlements of the type.
func (s *service) mayChange(able bool, resourceType string) error {
	if err := s.mayProvision(); err != nil {
		return err
	}
	if t, ok := s.connector.ResourceType(resourceType); !able || !ok || !t.Provision {
		return baton.Errorf(baton.Unsupported, "%s cannot change who holds entitlements of resource type %q", s.connector.Name, resourceType)
	}
	return nil
}

func (s *service) grant(ctx context.Context, work wire.GrantTask, log *slog.Logger) (wire.Response, error) {
	if err := s.mayChange(s.connector.Grant != nil, work.Entitlement.Resource.Type); err != nil {
		return wire.Response{}, err
	}
	out, err := s.patiently(ctx, log, func() (baton.Outcome, error) {
		return s.connector.Grant(ctx, baton.GrantRequest{Entitlement: work.Entitlement, Principal: work.Principal})
	})
	if err != nil {
		return wire.Response{}, err
	}
	logDetails(log, out, "grant", work.GrantID.String())
	return wire.GrantResponse(baton.Grant{ID: work.GrantID, ResourceName: work.ResourceName}, out.Already)
}

func (s *service) revoke(ctx context.Context, work wire.RevokeTask, log *slog.Logger) (wire.Response, error) {
	if err := s.mayChange(s.connector.Revoke != nil, work.Entitlement.Resource.Type); err != nil {
		return wire.Response{}, err
	}
	out, err := s.patiently(ctx, log, func() (baton.Outcome, error) {
		return s.connector.Revoke(ctx, baton.GrantRequest{Entitlement: work.Entitlement, Principal: work.Principal})
	})
	if err != nil {
		return wire.Response{}, err
	}
	logDetails(log, out, "grant", work.GrantID.String())
	return wire.RevokeResponse(out.Already)
}

func (s *service) createAccount(ctx context.Context, work wire.AccountTask, log *slog.Logger) (wire.Response, error) {
	creation := s.connector.Account
	if err := s.mayProvision(); err != nil {
		return wire.Response{}, err
	}
	switch {
	case creation == nil, work.ResourceType != "" && work.ResourceType != creation.ResourceType:
		return wire.Response{}, baton.Errorf(baton.Unsupported, "%s cannot create accounts of resource type %q", s.connector.Name, work.ResourceType)
	case work.Credential != "" && work.Credential != "no_password":
		return wire.Response{}, baton.Errorf(baton.Invalid, "accounts are created without a password, but %s was requested", work.Credential).
			WithFix("choose no password in ConductorOne")
	}
	req := work.Request
	req.Login = cmp.Or(req.Login, req.Email)
	var err error
	if req.Profile, err = fit(creation.Fields, req.Profile, log); err != nil {
		return wire.Response{}, err
	}
	out, err := s.patiently(ctx, log, func() (baton.Outcome, error) { return creation.Create(ctx, req) })
	if err != nil {
		return wire.Response{}, err
	}
	if out.Resource == nil {
		return wire.Response{}, baton.Errorf(baton.Internal, "the account was created, but the connector did not return its id")
	}
	logDetails(log, out, "account", out.Resource.ID.String())
	return wire.AccountResponse(*out.Resource, out.Already)
}

// logDetails logs the details of a change that an answer to C1 has no field for.
func logDetails(log *slog.Logger, out baton.Outcome, key, id string) {
	log.Info("change made", key, id, "already", out.Already, "done", out.Done)
	for _, w := range out.Warnings {
		log.Warn(w, key, id)
	}
}

// patience lists the waits before further attempts of a change while the upstream is
// unavailable. C1 does not repeat a change.
var patience = [...]time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second}

// patiently makes a change and repeats it while the upstream is unavailable or limits the
// rate. Changes are idempotent, so repeating one that succeeded does no harm.
func (s *service) patiently(ctx context.Context, log *slog.Logger, change func() (baton.Outcome, error)) (baton.Outcome, error) {
	for n := 0; ; n++ {
		out, err := change()
		switch kind := baton.KindOf(err); {
		case err == nil, n == len(patience), ctx.Err() != nil:
			return out, err
		case kind != baton.Unavailable && kind != baton.RateLimited && kind != baton.DeadlineExceeded:
			return out, err
		}
		wait := jittered(patience[n])
		log.Warn("the upstream is not available; trying the change again", "error", err, "wait", wait)
		waiting, end := s.untilStop(ctx)
		err = pause.For(waiting, wait)
		end()
		if err != nil {
			return out, err
		}
	}
}
