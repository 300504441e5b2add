package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Connection holds what the console knows about its connection with a connector.
type Connection struct {
	Paused bool
	Hosted bool      // it runs inside the console
	Files  bool      // it runs nowhere: people upload its files
	Seen   time.Time // when a host last asked for work; zero: none ever did
	Hosts  []ConnectionHost
	// Credentials is how many credentials work now, for a connector that runs elsewhere.
	Credentials int
	Running     bool      // a host is working on a sync
	Finished    time.Time // when the newest finished sync task ended; zero: none did
	Code        uint32    // how it ended: a gRPC status code, 0 for success
	Problem     string    // what the connector said when it failed
	Held        *Sync     // the held sync that waits for a person; nil if there is none
	Applied     *Sync     // the head; nil before the first sync
	Refused     *Sync     // the newest sync, if it was refused
}

// ConnectionHost is a process that serves a connector.
type ConnectionHost struct {
	Name    string    // its id
	Program string    // "baton-percipio", as the host says; may be empty
	Version string    // of the program, as the host says; may be empty
	Seen    time.Time // when it last asked for work
}

// String names the host, with what runs there.
func (h ConnectionHost) String() string {
	runs := strings.TrimSpace(h.Program[strings.LastIndex(h.Program, "/")+1:] + " " + h.Version)
	if runs == "" {
		return h.Name
	}
	return h.Name + " (" + runs + ")"
}

// ConnectionState is the state of a connector for display.
type ConnectionState string

const (
	NotConnected    ConnectionState = "Not connected"
	Syncing         ConnectionState = "Syncing"
	Connected       ConnectionState = "Connected"
	Held            ConnectionState = "Held"
	HeldByConnector ConnectionState = "Held by the connector"
	ConnectorError  ConnectionState = "Error"
	Paused          ConnectionState = "Paused"
	Offline         ConnectionState = "Offline"
)

// OfflineAfter is how long a connector may be silent before it counts as offline. Hosts ask for work
// every few seconds, and at least once a minute.
const OfflineAfter = 5 * time.Minute

// failedPrecondition is the gRPC code with which a connector holds back a sync, or says
// that it must not make changes (facts: service mode).
const failedPrecondition = 9

// State returns the state of a connector at a time, and a sentence about it. Where several
// are true, it is the one that somebody has to act on first.
func (c Connection) State(now time.Time) (ConnectionState, string) {
	switch {
	case c.Paused:
		return Paused, "Nothing is asked of it until somebody resumes it." + c.data()
	case c.Held != nil:
		return Held, "A sync waits for a decision and is not applied." + c.data()
	case c.Files && c.Refused != nil:
		return ConnectorError, "The newest file was refused: " + c.Refused.Why + c.data()
	case c.Files && c.Applied == nil:
		return NotConnected, "No file was uploaded yet: Upload a file takes the first."
	case c.Files:
		return Connected, "People upload its files." + c.data()
	case c.Seen.IsZero():
		if c.Hosted {
			return NotConnected, "It is not configured yet: Settings, Edit has what it needs."
		}
		if c.Credentials == 0 {
			return NotConnected, "No host has called, and no credential works: Settings, Edit, Rotate makes one."
		}
		return NotConnected, "No host has called with its credentials yet. Start the connector with them."
	case now.Sub(c.Seen) > OfflineAfter:
		return Offline, fmt.Sprintf("No host has asked for work since %s UTC.", c.Seen.UTC().Format("2 Jan 2006 15:04")) + c.lastHost() + c.data()
	case c.Code == failedPrecondition:
		return HeldByConnector, "The connector itself held back its last sync: " + c.Problem
	case c.Code != 0:
		return ConnectorError, "Its last sync failed: " + c.Problem
	case c.Refused != nil:
		return ConnectorError, "The file of its last sync was refused: " + c.Refused.Why
	case c.Running:
		return Syncing, "A host is reading the application." + c.data()
	case c.Applied == nil:
		return Syncing, "It is connected; its first sync is about to begin."
	}
	return Connected, "Its syncs are applied." + c.data() + c.running(now)
}

// lastHost names the host that asked for work last.
func (c Connection) lastHost() string {
	if c.Hosted || len(c.Hosts) == 0 {
		return ""
	}
	return " The last was " + slices.MaxFunc(c.Hosts, func(a, b ConnectionHost) int { return a.Seen.Compare(b.Seen) }).String() + "."
}

// running names the hosts that ask for work, the first two by their names: the sentence stays
// the same while they do.
func (c Connection) running(now time.Time) string {
	if c.Hosted {
		return ""
	}
	hosts := slices.DeleteFunc(slices.Clone(c.Hosts), func(h ConnectionHost) bool { return now.Sub(h.Seen) > OfflineAfter })
	slices.SortStableFunc(hosts, func(a, b ConnectionHost) int { return strings.Compare(a.Name, b.Name) })
	switch len(hosts) {
	case 0:
		return ""
	case 1:
		return " It runs on " + hosts[0].String() + "."
	case 2:
		return " It runs on " + hosts[0].String() + " and " + hosts[1].String() + "."
	}
	return fmt.Sprintf(" It runs on %s, %s and %d more.", hosts[0], hosts[1], len(hosts)-2)
}

// data says which data counts.
func (c Connection) data() string {
	if c.Applied == nil {
		return ""
	}
	return fmt.Sprintf(" The data of %s UTC counts.", c.Applied.Began.UTC().Format("2 Jan 2006 15:04"))
}

// ProvisioningOff reports whether the result of a change, a gRPC code and what the connector
// said, means that the connector was started without provisioning. Other refusals have the
// same code.
func ProvisioningOff(code uint32, message string) bool {
	return code == failedPrecondition && (strings.Contains(message, "provisioning is not enabled") || strings.Contains(message, "provisioning is switched off"))
}

// Problem reports whether the state needs somebody's attention.
func (s ConnectionState) Problem() bool {
	return s == Held || s == HeldByConnector || s == ConnectorError || s == Offline
}

// Recovered is the state that is reported when a connector no longer has a problem.
const Recovered ConnectionState = "Recovered"

// ToldState is the connector state that people were last notified of.
type ToldState struct {
	State ConnectionState // a problem, or Recovered; "" before the first
	Since time.Time
}

// News returns the state that people must be notified of, and a sentence about it. ok is false if
// they know it already. since is when the console began to watch the connector: it cannot say that a
// host was away before. A connector that failed has recovered when a newer sync is applied, not
// while the next attempt runs.
func (c Connection) News(told ToldState, watched, now time.Time) (state ConnectionState, sentence string, ok bool) {
	state, sentence = c.State(now)
	switch {
	case state == Paused || state == NotConnected:
		return state, sentence, false
	case state == Offline && now.Sub(watched) <= OfflineAfter:
		return state, sentence, false
	case state.Problem():
		return state, sentence, state != told.State
	case !told.State.Problem():
		return state, sentence, false
	case told.State == Offline:
		return Recovered, "A host asks for work again." + c.data(), true
	case told.State == Held:
		return Recovered, "The sync that was held was decided about." + c.data(), true
	}
	return Recovered, sentence, c.Applied != nil && c.Applied.Applied.After(told.Since)
}

// DueStates is the kind of the due row for notices about the states of connectors. There is one, for
// "console".
const DueStates = "connector.states"
