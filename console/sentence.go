package console

import (
	"fmt"
	"strings"
	"time"
)

// Sentence describes the state of an operation for display.
func (o Operation) Sentence(now time.Time) string {
	if o.Input.Late > 0 {
		return o.sentence(now) + " The console came to it " + o.Input.Late.Words() + " late."
	}
	return o.sentence(now)
}

func (o Operation) sentence(now time.Time) string {
	clock := func(t time.Time) string {
		if t = t.UTC(); t.Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
			return t.Format("15:04")
		}
		return t.Format("2 Jan 2006 15:04")
	}
	answer := strings.TrimSpace(o.Answer)
	if answer != "" && !strings.HasSuffix(answer, ".") {
		answer += "."
	}
	join := func(parts ...string) string {
		var said []string
		for _, p := range parts {
			if p != "" {
				said = append(said, p)
			}
		}
		return strings.Join(said, " ")
	}
	switch o.State {
	case Waiting:
		return "Waits until an earlier change of the same access is over."
	case Queued:
		switch {
		case o.NotBefore.After(now):
			return join(fmt.Sprintf("Tried %s; again at %s UTC.", times(o.Attempt), clock(o.NotBefore)), answer)
		case o.Account == 0 && o.Entitlement != AccountItself:
			return "Waits for the account."
		case o.Attempt > 0:
			return join(fmt.Sprintf("Tried %s; waits for the connector.", times(o.Attempt)), answer)
		}
		return "Waits for the connector."
	case Manual:
		return join("Waits for a person.", answer)
	case Dispatched:
		return fmt.Sprintf("Handed to the connector at %s UTC.", clock(o.Dispatched))
	case Applied:
		return join(fmt.Sprintf("Applied %s UTC, waiting for the next sync.", clock(o.Finished)), answer)
	case Unknown:
		return join(fmt.Sprintf("No answer since %s UTC; a sync will show what became of it.", clock(o.Dispatched)), answer)
	case Verified:
		return "A later sync shows it."
	case Contradicted:
		return fmt.Sprintf("Undone: it was applied at %s UTC, and the sync after it shows the opposite.", clock(o.Finished))
	case Failed:
		return join(fmt.Sprintf("The connector says that it failed, at %s UTC.", clock(o.Finished)), answer)
	case Declined:
		return join("The connector refused.", answer)
	case Superseded:
		return "A later decision replaced it before it was handed out."
	case Cancelled:
		return join("Stopped before it was handed out.", answer)
	}
	return ""
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// Names are the names of an access for display.
type Names struct {
	App         string
	Account     string // the person's name, if there is no account yet
	Login       string // or an e-mail address
	Entitlement string
	On          string // type and name of the resource of the entitlement
}

// Steps returns what a person has to do in the application for an operation that the connector
// cannot carry out.
func (o Operation) Steps(n Names) []string {
	who := n.Account
	if n.Login != "" && n.Login != n.Account {
		who += " (" + n.Login + ")"
	}
	steps := []string{"Sign in to " + n.App + " as an administrator."}
	on := ""
	if n.On != "" {
		on = " of " + n.On
	}
	switch {
	case o.Entitlement == AccountItself && o.Account == 0:
		steps = append(steps, "Create an account for "+who+", without a password if people sign in elsewhere.")
	case o.Entitlement == AccountItself && o.Verb == Grant:
		steps = append(steps, "Find the account "+who+" and enable it.")
	case o.Entitlement == AccountItself:
		steps = append(steps, "Find the account "+who+" and disable it. Do not delete it: its record is needed.")
	case o.Verb == Grant:
		steps = append(steps, "Find the account "+who+".", "Give it “"+n.Entitlement+"”"+on+".")
	default:
		steps = append(steps, "Find the account "+who+".", "Take “"+n.Entitlement+"”"+on+" from it.")
	}
	return append(steps, "Come back and mark it as done. The next sync checks it.")
}
