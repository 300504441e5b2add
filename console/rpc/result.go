package rpc

import (
	"time"

	"baton"
)

// Result is the result of a task. It is stored as JSON.
type Result struct {
	At   time.Time `json:"at"`
	Host string    `json:"host,omitempty"` // that finished the task; empty: cancelled while no host had it

	// The error of a task that failed. Code is a gRPC status code, 0 for success.
	Code         uint32 `json:"code,omitempty"`
	Message      string `json:"message,omitempty"`
	NonRetryable bool   `json:"non_retryable,omitempty"` // the connector says that retries are useless
	// Refusal is why the connector deliberately refused a grant: the text of the error detail
	// "grant_cancelled". It is empty for other errors.
	Refusal string `json:"refusal,omitempty"`

	// The answer to a grant or a revoke.
	Already       bool        `json:"already,omitempty"`        // the grant existed, or did not exist, before
	Grants        []GrantedID `json:"grants,omitempty"`         // what the principal now holds
	ReplacedGrant string      `json:"replaced_grant,omitempty"` // id of a grant that ended with this change
	Gone          bool        `json:"gone,omitempty"`           // the resource no longer exists

	Account *AccountResult `json:"account,omitempty"` // the created account
	Action  *ActionRun     `json:"action,omitempty"`  // of an action that was run or asked about
	Actions []Action       `json:"actions,omitempty"` // that the connector offers

	// Other is an answer that this package does not translate, or nil.
	Other *OtherAnswer `json:"other,omitempty"`
}

// GrantedID names a grant as the connector reported it.
type GrantedID struct {
	ID          string           `json:"id"`
	Entitlement string           `json:"entitlement"` // id
	Principal   baton.ResourceID `json:"principal"`
}

// AccountResult is the answer to the creation of an account.
type AccountResult struct {
	State             AccountState    `json:"state"`
	Resource          *baton.Resource `json:"resource,omitempty"`
	Message           string          `json:"message,omitempty"` // what a person has to do, if anything
	InvitationExpires time.Time       `json:"invitation_expires,omitzero"`
	Secrets           []SealedSecret  `json:"secrets,omitempty"`
}

// AccountState is the progress of the creation of an account.
type AccountState string

// The states of the creation of an account.
const (
	AccountCreated        AccountState = "created"
	AccountExists         AccountState = "already_exists"
	AccountActionRequired AccountState = "action_required" // a person has to do something
	AccountInProgress     AccountState = "in_progress"
)

// SealedSecret is a secret, such as a first password, encrypted to one recipient.
type SealedSecret struct {
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	Provider    string   `json:"provider,omitempty"` // the encryption scheme, "baton/jwk/v1"
	KeyIDs      []string `json:"key_ids,omitempty"`  // hex SHA-256 thumbprints of the recipients
	Bytes       []byte   `json:"bytes,omitempty"`
}

// ActionRun is one run of an action.
type ActionRun struct {
	ID     string        `json:"id,omitempty"`
	Name   string        `json:"name,omitempty"`
	State  ActionState   `json:"state"`
	Values baton.Profile `json:"values,omitempty"` // returned values; for a failed run, "error"
}

// ActionState is the progress of a run of an action.
type ActionState string

// The states of a run of an action.
const (
	ActionUnknown  ActionState = "unknown"
	ActionPending  ActionState = "pending"
	ActionRunning  ActionState = "running"
	ActionComplete ActionState = "complete"
	ActionFailed   ActionState = "failed"
)

// Action describes an action that the connector offers.
type Action struct {
	Name         string             `json:"name"`
	DisplayName  string             `json:"display_name,omitempty"`
	Description  string             `json:"description,omitempty"`
	Types        []baton.ActionType `json:"types,omitempty"`
	ResourceType string             `json:"resource_type,omitempty"` // set for an action of one resource type
	Arguments    []Field            `json:"arguments,omitempty"`
	Returns      []Field            `json:"returns,omitempty"`
}

// Field is a value that a connector asks for or returns.
type Field struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name,omitempty"`
	Description string    `json:"description,omitempty"`
	Placeholder string    `json:"placeholder,omitempty"`
	Kind        FieldKind `json:"kind"`
	Required    bool      `json:"required,omitempty"`
	Secret      bool      `json:"secret,omitempty"`
}

// FieldKind is the type of a [Field].
type FieldKind string

// The kinds of fields.
const (
	StringField  FieldKind = "string"
	BoolField    FieldKind = "bool"
	IntField     FieldKind = "int"
	StringsField FieldKind = "string_list"
	OtherField   FieldKind = "other" // a kind that this package does not know
)

// OtherAnswer is a message of a type that this package does not translate.
type OtherAnswer struct {
	Type  string `json:"type"`  // full name of the message
	Bytes []byte `json:"bytes"` // its encoding
}

// OK reports whether the task succeeded.
func (r Result) OK() bool { return !r.At.IsZero() && r.Code == 0 }

// Outcome is the meaning of a result for the code that queued the task.
type Outcome string

// The outcomes.
const (
	Done        Outcome = "done"        // the connector did it
	AlreadyDone Outcome = "already"     // nothing had to be done
	InProgress  Outcome = "in progress" // an action or the creation of an account continues, or waits for a person
	Cancelled   Outcome = "cancelled"   // by the console, before it was done
	Held        Outcome = "held"        // the connector's own guard holds the sync
	Refused     Outcome = "refused"     // the connector refuses: its policy, a guard, or provisioning is off
	Unsupported Outcome = "unsupported" // the connector cannot do it
	Failed      Outcome = "failed"      // it failed, and retries are useless
	Retryable   Outcome = "retryable"   // it failed and may be tried again
)
