package evidence

import (
	"encoding/json"
	"iter"
	"time"

	"baton/console"
)

// Source yields what a pack is made of: the state of a review when the last event of its chain
// happened. Two packs of the same state have the same bytes. Sequences can be read more than once.
type Source interface {
	Review() (Review, error)
	// Items are in the order of their numbers, which begin at 1, and those of an app follow each other.
	Items() iter.Seq2[console.ReviewItem, error]
	// Assignments are in the order of items and reviewers.
	Assignments() iter.Seq2[console.ReviewAssignment, error]
	Submissions() iter.Seq2[Submission, error]
	// Decisions are the submitted ones, in the order of items and submissions.
	Decisions() iter.Seq2[console.ReviewDecision, error]
	// Operations carried out outcomes, in the order of items.
	Operations() iter.Seq2[Operation, error]
	// PlanLines are the lines that the hash of the plan covers.
	PlanLines() iter.Seq2[[]byte, error]
	// Events are those of the chain from the first one of the campaign, in their order.
	Events() iter.Seq2[Event, error]
	// Person returns what is known of somebody who decided, owns or changed something.
	Person(console.ID) (Person, error)
}

// Review holds the facts about the review as a whole.
type Review struct {
	Campaign console.Campaign
	LeftOut  []LeftOut
	Plan     *Plan // nil if there is none
	Head     console.ChainHead
}

// LeftOut is an application or connector that the review does not cover.
type LeftOut struct {
	App       console.ID `json:"app"`
	Name      string     `json:"name"`
	Connector console.ID `json:"connector,omitempty"`
	Why       string     `json:"why"`
	By        console.ID `json:"by,omitempty"` // who chose the scope
	At        time.Time  `json:"at,omitzero"`
}

// Plan is the plan of the removals. Its hash covers the lines of the member plan.jsonl.
type Plan struct {
	ID        console.ID      `json:"id"`
	Number    int64           `json:"number"`
	Hash      console.Hash    `json:"hash"`
	State     string          `json:"state"`
	Cap       int             `json:"cap,omitempty"`
	Created   time.Time       `json:"created"`
	By        console.Actor   `json:"by"`
	Computed  time.Time       `json:"computed,omitzero"`
	Applied   time.Time       `json:"applied,omitzero"`
	AppliedBy console.ID      `json:"applied_by,omitempty"`
	Ended     time.Time       `json:"ended,omitzero"`
	Summary   json.RawMessage `json:"summary,omitempty"` // administrators and seats before and after
}

// Submission is an act that made decisions permanent.
type Submission struct {
	ID       console.ID                   `json:"id"`
	Reviewer console.ID                   `json:"reviewer"`
	At       time.Time                    `json:"at"`
	Login    string                       `json:"login,omitempty"` // how the reviewer had signed in
	Client   console.ID                   `json:"client,omitempty"`
	Counts   map[console.ReviewChoice]int `json:"counts"`
	Digest   console.Hash                 `json:"digest"` // of its decisions
	Event    int64                        `json:"event"`  // whose data has the digest
}

// Operation is a change that carried out the outcome of an item.
type Operation struct {
	ID         console.ID             `json:"id"`
	Item       int                    `json:"item"`
	Verb       console.Verb           `json:"verb"`
	State      console.OperationState `json:"state"`
	Created    time.Time              `json:"created"`
	Dispatched time.Time              `json:"dispatched,omitzero"`
	Finished   time.Time              `json:"finished,omitzero"`
	Answer     string                 `json:"answer,omitempty"`
	CameBack   time.Time              `json:"came_back,omitzero"` // when a sync showed the access again
	// Sync is the sync that verifies or contradicts it.
	Sync   console.ID `json:"sync,omitempty"`
	Began  time.Time  `json:"began,omitzero"`
	SHA256 string     `json:"sha256,omitempty"` // of its c1z
}

// Person is somebody whom a pack names.
type Person struct {
	ID     console.ID            `json:"id"`
	Name   string                `json:"name"`
	Email  string                `json:"email,omitempty"`
	Status console.PersonStatus  `json:"status,omitempty"`
	Roles  []console.ConsoleRole `json:"roles,omitempty"`
	Merged console.ID            `json:"merged_into,omitempty"`
}

// Event is an event of the chain.
type Event struct {
	console.Link
	Hash    console.Hash
	Payload []byte // the stored bytes
	// Disclosed means that the pack contains the bytes of the event, instead of their digest only.
	Disclosed bool
}
