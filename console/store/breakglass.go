package store

import (
	"time"

	"baton"
	"baton/console"
	"baton/console/store/internal/engine"
)

// breakGlassUsed names the setting with the time of the last use of the emergency login.
const breakGlassUsed = "break-glass-used"

// BreakGlass returns the emergency login. NotFound if there is none.
func (t *Tx) BreakGlass() (console.Login, error) {
	return get(t, scanLogin, "login for emergencies", loginColumns+"break_glass")
}

// SetBreakGlass sets the emergency login. It belongs to a person of its own, who is super
// administrator and has no other purpose.
func (t *Tx) SetBreakGlass(l console.Login, code baton.Secret) error {
	before, err := t.BreakGlass()
	switch {
	case baton.KindOf(err) == baton.NotFound:
		l.Person, err = t.AddPerson(console.Person{Name: "Break-glass", Roles: []console.ConsoleRole{console.SuperAdministrator}})
	case err == nil:
		l.Person = before.Person
		var p console.Person
		if p, err = t.lockPerson(l.Person); err != nil || p.Status == console.PersonActive {
			break
		}
		p.Status = console.PersonActive
		err = t.ChangePerson(p)
	}
	if err != nil {
		return err
	}
	l.BreakGlass = true
	return t.SetLogin(l, code)
}

// isBreakGlass reports whether a person exists only for the emergency login.
func (t *Tx) isBreakGlass(person console.ID) (bool, error) {
	l, err := find(t, scanLogin, loginColumns+"person = $1 AND break_glass", person)
	return l != nil, err
}

// keepBreakGlass refuses to give the person of the emergency login any other purpose.
func (t *Tx) keepBreakGlass(person console.ID) error {
	is, err := t.isBreakGlass(person)
	if err == nil && is {
		err = baton.Errorf(baton.Refused, "this is the login for emergencies, and nobody's").WithFix("Change it under Admin > Sign-in.")
	}
	return err
}

// UseBreakGlass records a use of the emergency login and notifies all super administrators.
func (t *Tx) UseBreakGlass(person console.ID) error {
	if err := t.writeSetting(breakGlassUsed, []byte(t.by.At.UTC().Format(time.RFC3339Nano))); err != nil {
		return err
	}
	return t.event(console.Event{Kind: "login.break-glass", Person: person, Object: string(person)}, nil)
}

// BreakGlassUse returns the recent use of the emergency login.
func (t *Tx) BreakGlassUse(now time.Time) (u console.BreakGlassUse, err error) {
	since, err := get(t, func(r engine.Row) time.Time { return at(r, 0) }, "sessions",
		"SELECT min(s.began) FROM login l JOIN session s ON s.person = l.person WHERE l.break_glass AND s.began > $1 AND s.seen > $2",
		now.Add(-console.SessionLife), now.Add(-console.SessionIdle))
	if err != nil {
		return u, err
	}
	u.Since = since
	text, err := t.Setting(breakGlassUsed)
	if baton.KindOf(err) == baton.NotFound {
		return u, nil
	}
	if err == nil {
		u.Last, err = time.Parse(time.RFC3339Nano, string(text))
	}
	return u, err
}
