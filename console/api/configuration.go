package api

import (
	"cmp"
	"net/http"

	"baton"
	"baton/console"
	"baton/console/govern"
)

// configurationRequest holds configuration files to plan or to apply.
type configurationRequest struct {
	Files  list[configurationFile] `json:"files"`
	Source string                  `json:"source"` // name of this set of files; empty: files
	Prune  bool                    `json:"prune"`
	Plan   string                  `json:"plan"` // digest of the plan that is applied; empty: any
}

type configurationFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// configurationPlan lists the changes that applying files makes, or made.
type configurationPlan struct {
	Source    string                        `json:"source"`
	Digest    string                        `json:"digest"`
	Changes   list[configurationDifference] `json:"changes"`
	Unmanaged list[configuredObject]        `json:"unmanaged"` // described before, and not any more
}

type configuredObject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"` // empty for what is created
	Name text   `json:"name"`
}

type configurationDifference struct {
	Do string `json:"do"` // create, change or remove
	configuredObject
	Place  text                     `json:"place"` // file and line
	Fields list[configurationField] `json:"fields"`
}

type configurationField struct {
	Field  text   `json:"field"`
	Before text   `json:"before"` // in the console
	After  text   `json:"after"`  // in the files
	Waits  string `json:"waits"`  // second-person, sync, named or discarded; empty: it takes effect at once
}

func differenceOf(d console.ConfigurationDifference) configurationDifference {
	m := configurationDifference{Do: string(d.Do), configuredObject: objectOf(d.ConfiguredObject), Place: text(d.Place)}
	for _, f := range d.Fields {
		m.Fields = append(m.Fields, configurationField{text(f.Field), text(f.Before), text(f.After), string(f.Waits)})
	}
	return m
}

func objectOf(o console.ConfiguredObject) configuredObject {
	return configuredObject{string(o.Kind), o.ID, text(o.Name)}
}

func configurationPlanOf(p console.ConfigurationPlan) *configurationPlan {
	m := &configurationPlan{Source: p.Source, Digest: p.Digest}
	for _, d := range p.Changes {
		m.Changes = append(m.Changes, differenceOf(d))
	}
	for _, u := range p.Unmanaged {
		m.Unmanaged = append(m.Unmanaged, objectOf(u))
	}
	return m
}

// files returns the files of a request, and how they are applied.
func (r configurationRequest) files() (files []console.ConfigurationFile, o console.ConfigurationOptions, err error) {
	if len(r.Files) == 0 {
		return nil, o, baton.Errorf(baton.Invalid, "there are no files").WithFix("Give files, each with a name and a text.")
	}
	for _, f := range r.Files {
		if f.Name == "" {
			return nil, o, baton.Errorf(baton.Invalid, "a file has no name").WithFix("Give each file a name and a text.")
		}
		files = append(files, console.ConfigurationFile{Name: f.Name, Text: f.Text})
	}
	return files, console.ConfigurationOptions{Source: cmp.Or(r.Source, "files"), Prune: r.Prune, Digest: r.Plan}, nil
}

func planConfiguration(c *call, r configurationRequest) (*configurationPlan, error) {
	files, o, err := r.files()
	if err != nil {
		return nil, err
	}
	plan, err := c.Console.PlanConfiguration(c.ctx(), c.caller, files, o)
	if err != nil {
		return nil, err
	}
	return configurationPlanOf(plan), nil
}

func applyConfiguration(c *call, r configurationRequest) (*configurationPlan, error) {
	files, o, err := r.files()
	if err != nil {
		return nil, err
	}
	plan, err := c.Console.ApplyConfiguration(c.ctx(), c.caller, files, o)
	if err != nil {
		return nil, err
	}
	return configurationPlanOf(plan), nil
}

// configurationSource is a set of files that was applied, with what differs since.
type configurationSource struct {
	Source    string                   `json:"source"`
	AppliedAt stamp                    `json:"appliedAt"`
	AppliedBy text                     `json:"appliedBy"`
	Digest    string                   `json:"digest"`
	Objects   int                      `json:"objects"`
	Drift     list[configurationDrift] `json:"drift"`
}

type configurationDrift struct {
	configurationDifference
	ChangedBy text  `json:"changedBy"`
	ChangedAt stamp `json:"changedAt"`
}

type configurationResponse struct {
	List          list[configurationSource] `json:"list"`
	NextPageToken string                    `json:"nextPageToken"` // empty: the list is complete
}

func listConfiguration(c *call) (*configurationResponse, error) {
	all, err := c.Console.ConfigurationSources(c.ctx(), c.caller)
	out := configurationResponse{}
	for _, v := range all {
		out.List = append(out.List, sourceOf(v))
	}
	return &out, err
}

func sourceOf(v govern.ConfigurationView) configurationSource {
	m := configurationSource{Source: v.Name, AppliedAt: stamp(v.Applied), AppliedBy: text(v.ByName), Digest: v.Digest, Objects: v.Objects}
	for _, d := range v.Drift {
		m.Drift = append(m.Drift, configurationDrift{differenceOf(d.ConfigurationDifference), text(d.By), stamp(d.At)})
	}
	return m
}

func exportConfiguration(c *call) error {
	b, err := c.Console.ExportConfiguration(c.ctx(), c.caller)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Content-Disposition", `attachment; filename="configuration.yaml"`)
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(b) // an error means that the client is gone
	return nil
}
