package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"baton"
)

// ConfigurationFile is the text of one configuration file.
type ConfigurationFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// ConfigurationKind is a kind of objects that configuration files describe.
type ConfigurationKind string

const (
	ConfiguredPerson       ConfigurationKind = "person"
	ConfiguredApp          ConfigurationKind = "application"
	ConfiguredConnector    ConfigurationKind = "connector"
	ConfiguredPolicy       ConfigurationKind = "policy"
	ConfiguredRequirement  ConfigurationKind = "requirement"
	ConfiguredIncompatible ConfigurationKind = "incompatible entitlements"
	ConfiguredAutomation   ConfigurationKind = "automation"
	ConfiguredProvider     ConfigurationKind = "identity provider"
	ConfiguredMail         ConfigurationKind = "mail"
	ConfiguredRetention    ConfigurationKind = "retention"
)

// ConfiguredObject identifies an object that configuration files describe. ID is the ID of a person,
// app, connector, policy or automation, and the name of an identity provider. For a requirement see
// [RequirementObject]. For incompatible entitlements it is made of both.
type ConfiguredObject struct {
	Kind ConfigurationKind `json:"kind"`
	ID   string            `json:"id"`
	Name string            `json:"name"`
}

// RequirementObject returns the ID of a requirement among configured objects. entitlement is its id
// in the app.
func RequirementObject(app ID, entitlement string) string { return string(app) + "/" + entitlement }

// ConfigurationVerb names the change of an object by files that are applied.
type ConfigurationVerb string

const (
	ConfigurationCreate ConfigurationVerb = "create"
	ConfigurationChange ConfigurationVerb = "change"
	ConfigurationRemove ConfigurationVerb = "remove"
)

// ConfigurationWait says why a change does not take effect when files are applied.
type ConfigurationWait string

const (
	WaitsForNothing      ConfigurationWait = ""
	WaitsForSecondPerson ConfigurationWait = "second-person" // somebody else confirms it
	WaitsForSync         ConfigurationWait = "sync"          // no sync shows yet what it names
	WaitsForNamed        ConfigurationWait = "named"         // the console does not have something that it names yet
	WaitsDiscarded       ConfigurationWait = "discarded"     // somebody said no to it
)

// ConfigurationDifference is how one object differs between configuration files and the console.
type ConfigurationDifference struct {
	Do ConfigurationVerb `json:"do"`
	ConfiguredObject
	Place  string               `json:"place,omitempty"` // file and line
	Fields []ConfigurationField `json:"fields,omitempty"`
}

// ConfigurationField is one field of a difference. Secrets have no values.
type ConfigurationField struct {
	Field  string            `json:"field"`
	Before string            `json:"before"` // in the console; "" for nothing
	After  string            `json:"after"`  // in the files
	Waits  ConfigurationWait `json:"waits,omitempty"`
}

// Waits reports whether no field of the difference takes effect when the files are applied.
func (d ConfigurationDifference) Waits() bool {
	for _, f := range d.Fields {
		if f.Waits == WaitsForNothing {
			return false
		}
	}
	return len(d.Fields) > 0
}

// ConfigurationOptions say how configuration files are applied.
type ConfigurationOptions struct {
	Source string // names the set of files; [BootstrapSource] for that of a start
	// Prune removes what the files of the source described before and do not describe any more.
	Prune bool
	// Digest is that of the plan that the caller saw. If it is given, other changes are refused.
	Digest string
	// Program means that a credential applies them. It cannot change how people sign in, and changes of
	// roles wait for a second person.
	Program bool
}

// ConfigurationPlan lists the changes that applying configuration files makes.
type ConfigurationPlan struct {
	Source  string                    `json:"source"`
	Changes []ConfigurationDifference `json:"changes"`
	// Unmanaged lists what the files described before and do not describe any more. Without pruning
	// it stays as it is.
	Unmanaged []ConfiguredObject `json:"unmanaged"`
	// Digest identifies the changes, so that exactly those are applied which somebody saw.
	Digest string `json:"digest"`
}

// Seal sets the digest.
func (p *ConfigurationPlan) Seal() {
	b, err := json.Marshal(p.Changes)
	if err != nil {
		panic(err) // cannot happen: strings only
	}
	sum := sha256.Sum256(b)
	p.Digest = hex.EncodeToString(sum[:12])
}

// Count returns how many objects are created, changed and removed, and how many of the changes do not
// take effect at once.
func (p ConfigurationPlan) Count() (created, changed, removed, waiting int) {
	for _, c := range p.Changes {
		switch c.Do {
		case ConfigurationCreate:
			created++
		case ConfigurationChange:
			changed++
		case ConfigurationRemove:
			removed++
		}
		for _, f := range c.Fields {
			if f.Waits != WaitsForNothing {
				waiting++
				break
			}
		}
	}
	return created, changed, removed, waiting
}

// ConfigurationSource is a set of configuration files that was applied.
type ConfigurationSource struct {
	Name    string // chosen by whoever applies them
	Applied time.Time
	By      Actor
	Client  ID     // the credential of a program; "" for none
	Digest  string // of the objects as the files describe them
	Objects int
}

// ManagedObject is an object that applied files describe.
type ManagedObject struct {
	ConfiguredObject
	Key   string // that the files give it; "" for none
	Place string
	// Described is the object as the files describe it, as JSON.
	Described []byte
	// Former means that the newest files of the source do not describe it any more.
	Former bool
}

// BootstrapSource is the name of the source that a console applies when it starts.
const BootstrapSource = "bootstrap"

// maxConfigurationSource limits the name of a source.
const maxConfigurationSource = 40

// CheckConfigurationSource returns an Invalid error if a set of files cannot have a name.
func CheckConfigurationSource(name string) error {
	bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if name == "" || len(name) > maxConfigurationSource || strings.ContainsFunc(name, bad) {
		return baton.Errorf(baton.Invalid, "%q cannot name a set of files", name).WithFix("Use 1 to %d small letters, digits and hyphens.", maxConfigurationSource)
	}
	if name == BootstrapSource {
		return baton.Errorf(baton.Invalid, "the source %s is that of serve --bootstrap", name).WithFix("Choose another name.")
	}
	return nil
}
