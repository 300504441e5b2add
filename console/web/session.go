package web

import (
	"encoding/hex"

	"baton"
	"baton/console"
	"baton/console/govern"
)

type sessionList struct {
	Sessions   []sessionRow
	Others     bool // there are further sessions
	Idle, Life int  // hours
}

type sessionRow struct {
	govern.SessionView
	ID string
}

func sessionsPage(c *call) error {
	all, err := c.console().Sessions(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	l := sessionList{Others: len(all) > 1, Idle: int(console.SessionIdle.Hours()), Life: int(console.SessionLife.Hours())}
	for _, s := range all {
		l.Sessions = append(l.Sessions, sessionRow{s, hex.EncodeToString(s.Hash[:])})
	}
	return c.page("sessions", "Your sessions", l)
}

func endSession(c *call) error {
	var hash [32]byte
	b, err := hex.DecodeString(c.r.PostFormValue("session"))
	if err != nil || len(b) != len(hash) {
		return baton.Errorf(baton.NotFound, "no session")
	}
	copy(hash[:], b)
	if err := c.console().EndSession(c.ctx(), c.caller, hash); err != nil {
		return err
	}
	return c.redirect("/sessions")
}

func endOtherSessions(c *call) error {
	if err := c.console().EndOtherSessions(c.ctx(), c.caller); err != nil {
		return err
	}
	return c.redirect("/sessions")
}
