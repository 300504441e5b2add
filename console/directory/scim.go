package directory

import (
	"context"
	"time"

	"baton"
	"baton/console"
	"baton/console/store"
)

// ended is the sync that a deleted user is missing since. Sources have no syncs.
const ended console.SyncNumber = 1

// pushed returns a source that pushes people as a directory.
func pushed(s console.SCIMSource) source {
	return source{stream: s.Stream, manager: func(tx *store.Tx, x shown) (console.ID, error) { return pushedManager(tx, s, x) }}
}

// Push updates people from a user that a source pushed, in the transaction that stores the user. It
// returns the user with Unsettled set.
func Push(tx *store.Tx, s console.SCIMSource, u console.SCIMUser) (console.SCIMUser, error) {
	if err := revive(tx, u.Key); err != nil {
		return u, err
	}
	if err := pushOne(tx, s, &u); err != nil {
		return u, err
	}
	return u, settleReports(tx, s, u)
}

// revive makes the record of a deleted user one of a user again. The person is known from it.
func revive(tx *store.Tx, key console.ResourceKey) error {
	record, err := tx.DirectoryRecord(key)
	if err != nil || record == nil || record.Missing == 0 {
		return err
	}
	record.Missing = 0
	return tx.PutDirectoryRecord("", *record)
}

func pushOne(tx *store.Tx, s console.SCIMSource, u *console.SCIMUser) error {
	x, from := shown{key: u.Key, entry: u.Entry}, pushed(s)
	before, err := tx.DirectoryRecord(u.Key)
	if err != nil {
		return err
	}
	if len(u.Entry.Emails) == 0 && (before == nil || before.Person == "") {
		// Like an account without an address, it makes nobody.
		err := tx.PutDirectoryRecord("", store.DirectoryRecord{Account: u.Key, Stream: s.Stream, Given: u.Entry, Why: "It has no e-mail address, so it stands for nobody."})
		u.Unsettled = false
		if err != nil {
			return err
		}
		return tx.SettleSCIMUser(u.Key, false)
	}
	var r Result
	if before == nil || before.Why != "" || before.Person == "" || !before.Given.Equal(u.Entry) {
		if err := follow(tx, from, x, &r); err != nil {
			return err
		}
	}
	if err := followManager(tx, from, x); err != nil {
		return err
	}
	after, err := tx.DirectoryRecord(u.Key)
	if err != nil {
		return err
	}
	u.Unsettled = after.Why != "" || after.Given.Manager != u.Entry.Manager
	if err := tx.SettleSCIMUser(u.Key, u.Unsettled); err != nil {
		return err
	}
	return mapRoles(tx, s, *u)
}

// EndPushed updates people after a source deleted a user: as after the second sync without an account.
func EndPushed(tx *store.Tx, s console.SCIMSource, u console.SCIMUser) error {
	record, err := tx.DirectoryRecord(u.Key)
	if err != nil || record == nil {
		return err
	}
	if record.Missing == 0 { // it says so itself, which needs no second time
		record.Missing = ended + 1
		if err := tx.PutDirectoryRecord("", *record); err != nil {
			return err
		}
	}
	var r Result
	if err := miss(tx, pushed(s), u.Key, ended, &r); err != nil {
		return err
	}
	return mapRoles(tx, s, u)
}

// SettleSoon is when [Settle] runs after a push that left something, and SettleAgain when it tries again.
const (
	SettleSoon  = 10 * time.Second
	SettleAgain = time.Hour
)

// settleAtOnce limits the reports of a manager who was pushed after them that are settled in the same
// transaction. The others are settled by [Settle].
const settleAtOnce = 50

// settleReports sets the manager of people who were pushed before the manager, and schedules what is
// left.
func settleReports(tx *store.Tx, s console.SCIMSource, u console.SCIMUser) error {
	reports, err := tx.SCIMReports(s.ID, append([]string{string(u.ID), u.UserName, u.ExternalID}, u.Entry.Emails...), settleAtOnce)
	if err != nil {
		return err
	}
	left := u.Unsettled || len(reports) == settleAtOnce
	for _, report := range reports {
		if report.Key == u.Key {
			continue
		}
		if err := pushOne(tx, s, &report); err != nil {
			return err
		}
		left = left || report.Unsettled
	}
	if !left {
		return nil
	}
	return tx.DueBy(console.DueSCIM, string(s.ID), tx.By().At.Add(SettleSoon))
}

// pushedManager returns the person whom a source names as a manager: by the id of a user of the
// source, its external id or user name, or an e-mail address. Two users of one external id say nothing.
func pushedManager(tx *store.Tx, s console.SCIMSource, x shown) (console.ID, error) {
	for _, f := range []store.SCIMUserFilter{{ID: console.ID(x.entry.Manager)}, {ExternalID: x.entry.Manager}, {UserName: console.SCIMName(x.entry.Manager)}} {
		users, err := tx.SCIMUsers(s.ID, f, 0, 2)
		if err != nil {
			return "", err
		}
		if len(users) != 1 {
			continue
		}
		record, err := tx.DirectoryRecord(users[0].Key)
		if err != nil || record == nil || record.Person == "" {
			return "", err
		}
		return tx.Canonical(record.Person)
	}
	p, err := tx.PersonByEmail(x.entry.Manager)
	if baton.KindOf(err) == baton.NotFound {
		return "", nil
	}
	return p.Canonical(), err
}

// mapRoles gives the person of a user the roles of the user's groups, and takes those that no group
// gives any more. A user that is not active has none.
func mapRoles(tx *store.Tx, s console.SCIMSource, u console.SCIMUser) error {
	gives, err := tx.HasSCIMRoles(s.ID)
	if err != nil || !gives {
		return err
	}
	record, err := tx.DirectoryRecord(u.Key)
	if err != nil || record == nil || record.Person == "" {
		return err
	}
	person, err := tx.Canonical(record.Person)
	if err != nil {
		return err
	}
	var roles []console.ConsoleRole
	if record.Missing == 0 && u.Entry.Status == console.PersonActive {
		if roles, err = tx.SCIMRoles(u.Key); err != nil {
			return err
		}
	}
	_, err = tx.MapSCIMRoles(person, s.ID, roles)
	return err
}

// MapRoles gives the people of users the roles of the users' groups after memberships changed.
func MapRoles(tx *store.Tx, s console.SCIMSource, users []console.ResourceKey) error {
	for _, key := range users {
		found, err := tx.SCIMUsers(s.ID, store.SCIMUserFilter{}, key-1, 1)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].Key != key {
			continue // deleted: its roles ended then
		}
		if err := mapRoles(tx, s, found[0]); err != nil {
			return err
		}
	}
	return nil
}

// Settle tries again to apply the users of a source that could not be fully applied to people. left
// reports whether some still cannot.
func Settle(ctx context.Context, st *store.Store, by console.By, id console.ID) (left bool, err error) {
	for after := console.ResourceKey(0); ; {
		var page []console.SCIMUser
		err := st.Update(ctx, by, func(tx *store.Tx) error {
			s, err := tx.SCIMSource(id)
			if err != nil {
				return err
			}
			if page, err = tx.UnsettledSCIMUsers(id, after, batch); err != nil {
				return err
			}
			for i := range page {
				if err := pushOne(tx, s, &page[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return left, err
		}
		for _, u := range page {
			after, left = u.Key, left || u.Unsettled
		}
		if len(page) < batch {
			return left, nil
		}
	}
}
