package cli

import (
	"fmt"

	"baton"
	"baton/internal/settings"
)

// Reference is one setting as documents list it.
type Reference struct {
	Area        string // the heading that it stands under in the help
	Flag        string // without the dashes
	Short       string // one-letter flag, or ""
	Environment []string
	Kind        string // "text", "number", "list", "secret"; "" is a switch
	Default     string // as it would be written; "" when there is none
	Description string
	Required    bool
	Rare        bool   // left out of the short help
	Ignored     string // why setting it changes nothing
	Refused     string // why setting it is an error
}

// References lists every setting of the program, in the order of its help. The file
// that a secret can come from is among the environment of the secret.
func References(p Program) []Reference {
	var refs []Reference
	for _, o := range options(p.Settings) {
		if o.FileOf != "" {
			refs[len(refs)-1].Environment = append(refs[len(refs)-1].Environment, envName(o.Name))
			continue
		}
		ref := Reference{
			Area: areaTitles[o.Area], Flag: o.Name, Short: o.Short, Environment: []string{envName(o.Name)},
			Kind: kindWords[o.Kind], Default: defaultText(o.Setting), Description: o.Description,
			Required: o.Required, Rare: o.Hidden, Ignored: o.Ignore, Refused: o.Refuse,
		}
		if o.Env != "" {
			ref.Environment = append(ref.Environment, o.Env)
		}
		refs = append(refs, ref)
	}
	return refs
}

// defaultText is the default as somebody would write it, or "".
func defaultText(s baton.Setting) string {
	switch def := s.Default.(type) {
	case string:
		return def
	case int:
		if def != 0 {
			return fmt.Sprint(def)
		}
	case []string:
		return settings.FormatList(def)
	case bool:
		if def {
			return "true"
		}
	}
	return ""
}
