package console

import "time"

// Actor is who does something.
type Actor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id,omitempty"` // a person's ID, a connector's ID, the name of a rule
}

// ActorKind says what an actor is.
type ActorKind string

// The kinds of actors.
const (
	ActorPerson     ActorKind = "person"
	ActorConnector  ActorKind = "connector"
	ActorAutomation ActorKind = "automation"
	ActorSystem     ActorKind = "system" // the console itself, for example an expiry
)

// Console is the actor of what the console does by itself.
var Console = Actor{Kind: ActorSystem}

// ByPerson returns the actor for a person.
func ByPerson(id ID) Actor { return Actor{Kind: ActorPerson, ID: string(id)} }

// Person returns the person who acts; "" when no person does.
func (a Actor) Person() ID {
	if a.Kind == ActorPerson {
		return ID(a.ID)
	}
	return ""
}

// Name returns what people call the actor. person is the name of the person who acts; "" if it is not known.
func (a Actor) Name(person string) string {
	switch a.Kind {
	case ActorPerson:
		if person == "" {
			return "somebody"
		}
		return person
	case ActorConnector:
		return "the connector"
	case ActorAutomation:
		return "an automation"
	}
	return "the console"
}

// By says who does something, when, and through what. It accompanies every change and
// becomes part of its events.
type By struct {
	At         time.Time
	Actor      Actor
	OnBehalfOf ID     // the person whose decision the actor takes as a delegate
	Client     ID     // the credential through which the actor calls; "" for pages and the console
	Request    string // id of the call, as in logs
	Address    string // network address that the call came from
	Source     string // what a client says that it runs; "" for pages and the console
}
