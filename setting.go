package baton

// SettingKind is the type of a setting's value.
type SettingKind int

// The kinds of settings and the Go types their values have.
const (
	StringSetting  SettingKind = iota // string
	BoolSetting                       // bool
	IntSetting                        // int
	StringsSetting                    // []string
	SecretSetting                     // Secret
)

// Setting is one thing that can be configured. The same setting is the flag
// --name, the environment variable BATON_NAME and the key name in .baton.yaml; a
// secret can also be read from the file that --name-file or BATON_NAME_FILE names.
type Setting struct {
	Name        string // "scim-token"
	DisplayName string // "SCIM token", for forms
	Description string // one line, for help and forms
	Placeholder string
	Kind        SettingKind
	Default     any // of the kind's Go type, or nil
	Required    bool
	Min, Max    int  // bounds of an IntSetting, when Max is not 0
	Advanced    bool // left out of C1's form and of the short help
}

// Values are the resolved settings of one run, by name.
type Values map[string]any

// String is the value of a StringSetting.
func (v Values) String(name string) string { s, _ := v[name].(string); return s }

// Bool is the value of a BoolSetting.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// Int is the value of an IntSetting.
func (v Values) Int(name string) int { n, _ := v[name].(int); return n }

// Strings is the value of a StringsSetting.
func (v Values) Strings(name string) []string { l, _ := v[name].([]string); return l }

// Secret is the value of a SecretSetting.
func (v Values) Secret(name string) Secret { s, _ := v[name].(Secret); return s }
