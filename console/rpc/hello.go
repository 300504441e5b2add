package rpc

import (
	"time"

	"baton"
)

// Hello describes a host: the process, its machine and its connector. It is stored as JSON.
type Hello struct {
	Host      string      `json:"host"`           // id of the host; the machine's name unless the operator sets it
	Task      string      `json:"task,omitempty"` // id of the hello task that requested it; empty when the host starts
	Build     Build       `json:"build"`
	System    System      `json:"system"`
	Connector Description `json:"connector"`
}

// Build is the program that a host runs.
type Build struct {
	Language string `json:"language,omitempty"` // "go1.26.8"
	Package  string `json:"package,omitempty"`  // "github.com/conductorone/baton-percipio"
	Version  string `json:"version,omitempty"`
}

// System is the machine that a host runs on.
type System struct {
	Hostname        string `json:"hostname,omitempty"`
	OS              string `json:"os,omitempty"`
	Platform        string `json:"platform,omitempty"`
	PlatformVersion string `json:"platform_version,omitempty"`
	PlatformFamily  string `json:"platform_family,omitempty"`
	KernelVersion   string `json:"kernel_version,omitempty"`
	KernelArch      string `json:"kernel_arch,omitempty"`
	Virtualization  string `json:"virtualization,omitempty"`
}

// Description is a connector's own description of itself and its capabilities.
type Description struct {
	DisplayName   string            `json:"display_name"`
	Description   string            `json:"description,omitempty"`
	HelpURL       string            `json:"help_url,omitempty"`
	Capabilities  []Capability      `json:"capabilities,omitempty"` // of the connector as a whole
	ResourceTypes []TypeDescription `json:"resource_types,omitempty"`
	AccountFields []Field           `json:"account_fields,omitempty"` // requested for a new account, in the connector's order
	Passwords     []PasswordKind    `json:"passwords,omitempty"`      // supported for new accounts, the preferred one first
	Roles         *baton.RoleHints  `json:"roles,omitempty"`          // nil if the connector says nothing about roles
}

// TypeDescription is a resource type and what the connector can do with it.
type TypeDescription struct {
	ID             string        `json:"id"`
	DisplayName    string        `json:"display_name,omitempty"`
	Description    string        `json:"description,omitempty"`
	Traits         []baton.Trait `json:"traits,omitempty"`
	NoEntitlements bool          `json:"no_entitlements,omitempty"`
	Capabilities   []Capability  `json:"capabilities,omitempty"`
	Permissions    []string      `json:"permissions,omitempty"` // required by the connector in the upstream
}

// Capability is something that a connector can do, named as in the protocol, in lower case.
type Capability string

// The capabilities that the console uses. A connector may report others.
const (
	CanSync               Capability = "sync"
	CanSyncTargeted       Capability = "targeted_sync"
	CanSyncTargetedByTask Capability = "service_mode_targeted_sync"
	CanProvision          Capability = "provision"
	CanCreateAccounts     Capability = "account_provisioning"
	CanDeleteResources    Capability = "resource_delete"
	CanRunActions         Capability = "actions"
)

// Host is a process that serves a connector.
type Host struct {
	Connector string
	ID        string
	First     time.Time // first hello
	Last      time.Time // latest hello
	Seen      time.Time // latest hello or request for tasks, up to a minute late
	Hellos    int
	Hello     Hello // latest
}
