package console

import "time"

// Actor identifies who caused a change.
type Actor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id,omitempty"` // a person's ID, a connector's ID, the name of a rule
}

// ActorKind is the kind of an actor.
type ActorKind string

const (
	ActorPerson     ActorKind = "person"
	ActorConnector  ActorKind = "connector"
	ActorAutomation ActorKind = "automation"
	ActorSystem     ActorKind = "system" // the console itself, for example an expiry
)

// Console is the actor of changes that the console makes by itself.
var Console = Actor{Kind: ActorSystem}

// ByPerson returns the actor for a person.
func ByPerson(id ID) Actor { return Actor{Kind: ActorPerson, ID: string(id)} }

// Person returns the person who acts; "" for other kinds of actors.
func (a Actor) Person() ID {
	if a.Kind == ActorPerson {
		return ID(a.ID)
	}
	return ""
}

// Name returns the actor's name for display. person is the name of the person who acts; "" if it is
// unknown.
func (a Actor) Name(person string) string {
	switch a.Kind {
	case ActorPerson:
		if person == "" {
			return "somebody"
		}
		return person
	case ActorConnector:
		return "the connector"
	case ActorDirectory:
		return "the identity provider"
	case ActorAutomation:
		return "an automation"
	}
	return "the console"
}

// By says who makes a change, when, and through which credential. It becomes part of every event of
// the change.
type By struct {
	At         time.Time
	Actor      Actor
	OnBehalfOf ID     // the person for whom the actor decides as a delegate
	Client     ID     // the credential through which the actor calls; "" for pages and the console
	Login      string // how the person had signed in to the pages; "" for others
	Request    string // id of the call, as in logs
	Address    string // network address that the call came from
	Source     string // the program that a client says it is; "" for pages and the console
}
