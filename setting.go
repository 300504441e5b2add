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

// Setting is one configurable value. It is set by the flag --name, the environment variable BATON_NAME or the
// key name in .baton.yaml. A secret can also be read from the file in --name-file or BATON_NAME_FILE.
type Setting struct {
	Name        string // "scim-token"
	DisplayName string // "SCIM token", for forms
	Description string // one line, for help and forms
	Placeholder string
	Kind        SettingKind
	Default     any // of the kind's Go type, or nil
	Required    bool
	Min, Max    int  // bounds of an IntSetting, if Max is not 0
	Advanced    bool // omitted from C1's form and the short help
}

// Values holds the resolved settings of one run, by name.
type Values map[string]any

// String returns the value of a StringSetting.
func (v Values) String(name string) string { s, _ := v[name].(string); return s }

// Bool returns the value of a BoolSetting.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// Int returns the value of an IntSetting.
func (v Values) Int(name string) int { n, _ := v[name].(int); return n }

// Strings returns the value of a StringsSetting.
func (v Values) Strings(name string) []string { l, _ := v[name].([]string); return l }

// Secret returns the value of a SecretSetting.
func (v Values) Secret(name string) Secret { s, _ := v[name].(Secret); return s }
