package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"baton"
	"baton/internal/pb/configv1"
	"baton/internal/pb/connectorv2"
)

// Capabilities returns the output of the command capabilities: the JSON form of an Any with
// a c1.connector.v2.ConnectorCapabilities, indented by two spaces and without a newline at
// the end.
func Capabilities(c *baton.Connector) ([]byte, error) {
	m, err := capabilities(c)
	if err != nil {
		return nil, invalid("capabilities", err)
	}
	a, err := pack(m)
	if err != nil {
		return nil, invalid("capabilities", err)
	}
	return indented(a, "capabilities")
}

// capabilities returns what the connector supports, independent of the settings of a run:
// resource types sorted by id, capabilities of the connector by number.
func capabilities(c *baton.Connector) (*connectorv2.ConnectorCapabilities, error) {
	m := &connectorv2.ConnectorCapabilities{CredentialDetails: &connectorv2.CredentialDetails{}}
	all := map[connectorv2.Capability]bool{}
	for _, t := range c.ResourceTypes {
		rt, err := resourceType(t)
		if err != nil {
			return nil, err
		}
		of := &connectorv2.ResourceTypeCapability{
			ResourceType: rt,
			Capabilities: typeCapabilities(c, t),
			Permissions:  &connectorv2.CapabilityPermissions{},
		}
		for _, capability := range of.Capabilities {
			all[capability] = true
		}
		m.ResourceTypeCapabilities = append(m.ResourceTypeCapabilities, of)
	}
	slices.SortFunc(m.ResourceTypeCapabilities, func(a, b *connectorv2.ResourceTypeCapability) int {
		return cmp.Compare(a.ResourceType.Id, b.ResourceType.Id)
	})
	if all[connectorv2.Capability_CAPABILITY_TARGETED_SYNC] {
		all[connectorv2.Capability_CAPABILITY_SERVICE_MODE_TARGETED_SYNC] = true
	}
	if len(c.Actions) > 0 {
		all[connectorv2.Capability_CAPABILITY_ACTIONS] = true
	}
	for capability := range all {
		m.ConnectorCapabilities = append(m.ConnectorCapabilities, capability)
	}
	slices.Sort(m.ConnectorCapabilities)
	if c.Account != nil {
		none := connectorv2.CapabilityDetailCredentialOption_CAPABILITY_DETAIL_CREDENTIAL_OPTION_NO_PASSWORD
		m.CredentialDetails.CapabilityAccountProvisioning = &connectorv2.CredentialDetailsAccountProvisioning{
			SupportedCredentialOptions: []connectorv2.CapabilityDetailCredentialOption{none},
			PreferredCredentialOption:  none,
		}
	}
	return m, nil
}

// typeCapabilities returns the capabilities in the order of the official connectors.
func typeCapabilities(c *baton.Connector, t baton.ResourceType) []connectorv2.Capability {
	list := []connectorv2.Capability{connectorv2.Capability_CAPABILITY_SYNC}
	if c.Get != nil {
		list = append(list, connectorv2.Capability_CAPABILITY_TARGETED_SYNC)
	}
	if t.Provision && !t.NoEntitlements && (c.Grant != nil || c.Revoke != nil) {
		list = append(list, connectorv2.Capability_CAPABILITY_PROVISION)
	}
	if t.Provision && c.Account != nil && c.Account.ResourceType == t.ID {
		list = append(list, connectorv2.Capability_CAPABILITY_ACCOUNT_PROVISIONING)
	}
	return list
}

// Configuration returns the output of the command config: the JSON form of a
// c1.config.v1.Configuration with the fields of the form in C1. ops are settings of the
// runtime, which come first and are marked as such; settings are those of the connector
// without the advanced ones.
func Configuration(displayName, helpURL string, ops, settings []baton.Setting) ([]byte, error) {
	m := &configv1.Configuration{DisplayName: displayName, HelpUrl: helpURL}
	for i, s := range slices.Concat(ops, settings) {
		if s.Advanced {
			continue
		}
		f, err := settingField(s)
		if err != nil {
			return nil, invalid("configuration", fmt.Errorf("setting %s: %w", s.Name, err))
		}
		f.IsOps = i < len(ops)
		m.Fields = append(m.Fields, f)
	}
	return indented(m, "configuration")
}

func settingField(s baton.Setting) (*configv1.Field, error) {
	f := &configv1.Field{
		Name:        s.Name,
		DisplayName: s.DisplayName,
		Description: s.Description,
		Placeholder: s.Placeholder,
		IsRequired:  s.Required,
		IsSecret:    s.Kind == baton.SecretSetting,
	}
	values := baton.Values{s.Name: s.Default}
	switch s.Kind {
	case baton.StringSetting, baton.SecretSetting: // a secret has no default
		field := &configv1.StringField{DefaultValue: values.String(s.Name)}
		if s.Required {
			field.Rules = &configv1.StringRules{IsRequired: true}
		}
		f.Field = &configv1.Field_StringField{StringField: field}
	case baton.BoolSetting:
		f.Field = &configv1.Field_BoolField{BoolField: &configv1.BoolField{DefaultValue: values.Bool(s.Name)}}
	case baton.IntSetting:
		field := &configv1.IntField{DefaultValue: int64(values.Int(s.Name))}
		if s.Required || s.Max != 0 {
			field.Rules = &configv1.Int64Rules{IsRequired: s.Required}
		}
		if s.Max != 0 {
			field.Rules.Gte = proto.Int64(int64(s.Min))
			field.Rules.Lte = proto.Int64(int64(s.Max))
		}
		f.Field = &configv1.Field_IntField{IntField: field}
	case baton.StringsSetting:
		f.Field = &configv1.Field_StringSliceField{StringSliceField: &configv1.StringSliceField{
			DefaultValue: values.Strings(s.Name),
			Rules:        &configv1.RepeatedStringRules{IsRequired: s.Required},
		}}
	default:
		return nil, fmt.Errorf("kind %d is unknown", s.Kind)
	}
	return f, nil
}

// ActionSchemas returns the JSON form of a c1.connector.v2.ListActionSchemasResponse.
func ActionSchemas(actions []baton.Action) ([]byte, error) {
	m, err := actionSchemas(actions)
	if err != nil {
		return nil, err
	}
	return indented(m, "action schemas")
}

func actionSchemas(actions []baton.Action) (*connectorv2.ListActionSchemasResponse, error) {
	m := &connectorv2.ListActionSchemasResponse{}
	for _, a := range actions {
		schema, err := actionSchema(a)
		if err != nil {
			return nil, invalid("action "+a.Name, err)
		}
		m.Schemas = append(m.Schemas, schema)
	}
	return m, nil
}

func actionSchema(a baton.Action) (*connectorv2.BatonActionSchema, error) {
	m := &connectorv2.BatonActionSchema{Name: a.Name, DisplayName: a.DisplayName, Description: a.Description}
	for _, t := range a.Types {
		m.ActionType = append(m.ActionType, connectorv2.ActionType(t))
	}
	var err error
	if m.Arguments, err = fields(a.Arguments); err != nil {
		return nil, err
	}
	m.ReturnTypes, err = fields(a.Returns)
	return m, err
}

func fields(list []baton.Field) ([]*configv1.Field, error) {
	var out []*configv1.Field
	for _, field := range list {
		f := &configv1.Field{
			Name:        field.Name,
			DisplayName: field.DisplayName,
			Description: field.Description,
			Placeholder: field.Placeholder,
			IsRequired:  field.Required,
		}
		switch field.Kind {
		case baton.StringField:
			f.Field = &configv1.Field_StringField{StringField: &configv1.StringField{}}
		case baton.BoolField:
			f.Field = &configv1.Field_BoolField{BoolField: &configv1.BoolField{}}
		case baton.IntField:
			f.Field = &configv1.Field_IntField{IntField: &configv1.IntField{}}
		case baton.StringsField:
			f.Field = &configv1.Field_StringSliceField{StringSliceField: &configv1.StringSliceField{}}
		default:
			return nil, fmt.Errorf("field %s: kind %d is unknown", field.Name, field.Kind)
		}
		out = append(out, f)
	}
	return out, nil
}

// indented returns the message as JSON. It indents the JSON of the protobuf library again,
// whose white space varies from build to build.
func indented(m proto.Message, what string) ([]byte, error) {
	b, err := protojson.Marshal(m)
	if err != nil {
		return nil, invalid(what, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, invalid(what, err)
	}
	return out.Bytes(), nil
}
