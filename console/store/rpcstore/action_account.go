package rpcstore

import (
	"slices"

	"baton"
	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// ActionVerb returns the effect of an action on [console.AccountItself]; false if it has none.
func ActionVerb(a rpc.Action) (console.Verb, bool) {
	switch {
	case slices.Contains(a.Types, baton.ActionAccountDisable):
		return console.Revoke, true
	case slices.Contains(a.Types, baton.ActionAccountEnable):
		return console.Grant, true
	}
	return "", false
}

// AccountByID returns the only account with an upstream id. The error is Invalid if there is none, or
// more than one.
func AccountByID(tx *store.Tx, m store.Moment, resourceType, id string) (store.Resource, error) {
	types := []string{resourceType}
	if resourceType == "" {
		types = nil
		for _, s := range m.Streams {
			all, err := tx.ResourceTypes(s.Stream)
			if err != nil {
				return store.Resource{}, err
			}
			types = append(types, all...)
		}
	}
	var found []store.Resource
	for _, t := range types {
		r, err := tx.ResourceByID(m, t, id)
		if err != nil && baton.KindOf(err) != baton.NotFound {
			return r, err
		}
		if err == nil && r.Account != nil {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return store.Resource{}, baton.Errorf(baton.Invalid, "no sync shows an account with the id %q", id).WithFix("Enter the id as the account's page shows it.")
	}
	return found[0], nil
}

// WithoutSecrets returns the arguments of an action as they are stored and displayed.
func WithoutSecrets(fields []rpc.Field, values baton.Profile) baton.Profile {
	kept := baton.Profile{}
	for name, v := range values {
		if i := slices.IndexFunc(fields, func(f rpc.Field) bool { return f.Name == name }); i >= 0 && fields[i].Secret {
			v = "not recorded"
		}
		kept[name] = v
	}
	return kept
}
