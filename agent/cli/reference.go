package cli

import (
	"fmt"

	"baton"
	"baton/internal/settings"
)

// Reference describes one setting for documents.
type Reference struct {
	Area        string // its heading in the help
	Flag        string // without the dashes
	Short       string // one-letter flag, or ""
	Environment []string
	Kind        string // "text", "number", "list", "secret"; "" is a switch
	Default     string // as it is written; "" if there is none
	Description string
	Required    bool
	Rare        bool   // among the advanced ones in the help
	Ignored     string // why it has no effect
	Refused     string // why it is refused
}

// References returns every setting of the program in the order of the help. The variable of a
// secret that names a file is among those of the secret.
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

// defaultText returns the default as it is written on a command line, or "".
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
