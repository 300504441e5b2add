package web

import (
	"errors"
	"io"
	"net/http"

	"baton"
	"baton/console"
)

type uploadForm struct {
	Head    connectorHead
	Problem *problem
}

// Beside reports whether a second person has to confirm the file.
func (f uploadForm) Beside() bool { return f.Head.Connector.Hosting != console.ByFile }

func (c *call) uploadForm() (f uploadForm, err error) {
	if f.Head, err = c.connectorHead("upload"); err != nil {
		return f, err
	}
	return f, c.console().MayUpload(c.ctx(), c.caller, c.connector())
}

func uploadPage(c *call) error {
	f, err := c.uploadForm()
	if err != nil {
		return err
	}
	return c.page("connector-upload", "Upload a sync file", f)
}

// uploadSync streams a sync file to the store, without keeping it in memory.
func uploadSync(c *call) error {
	f, err := c.uploadForm()
	if err != nil {
		return err
	}
	err = c.upload()
	if k := baton.KindOf(err); err != nil && (k == baton.Invalid || k == baton.Refused || k == baton.Unsupported) {
		f.Problem = problemOf(err)
		return c.show(statusOf(err), "connector-upload", "Upload a sync file", f)
	}
	if err != nil {
		return err
	}
	return c.redirect("/connectors/" + string(c.connector()))
}

func (c *call) upload() error {
	missing := baton.Errorf(baton.Invalid, "no file was chosen").WithFix("Choose the file sync.c1z of a connector.")
	parts, err := c.r.MultipartReader()
	if err != nil {
		return missing
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return missing
		}
		if err != nil {
			return broken(err)
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		_, err = c.console().Upload(c.ctx(), c.caller, c.connector(), fileOf{part})
		return err
	}
}

// fileOf reads an uploaded file. Its errors say that the file did not arrive.
type fileOf struct{ io.Reader }

func (f fileOf) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = broken(err)
	}
	return n, err
}

func broken(err error) error {
	if errors.As(err, new(*http.MaxBytesError)) {
		return baton.Errorf(baton.Invalid, "the file is larger than 4 GiB").WithFix("Let the connector sync by itself, or narrow what it reads.")
	}
	return baton.Errorf(baton.Invalid, "the file did not arrive whole").WithFix("Send it again.")
}
