package api

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"baton/console"
	"baton/console/govern"
)

// campaignPack sends the evidence pack of a review.
func campaignPack(c *call) error {
	p, err := c.Console.EvidencePack(c.ctx(), c.caller, c.path("campaign"))
	if err != nil {
		return err
	}
	return c.sendPack(p)
}

// auditReport sends the signed report for auditors about a moment, and the time from another.
func auditReport(c *call) error {
	moments := map[string]time.Time{}
	for _, name := range []string{"at", "from"} {
		if text := c.r.URL.Query().Get(name); text != "" {
			t, err := console.ParseMoment(text, c.Console.Now())
			if err != nil {
				return err
			}
			moments[name] = t
		}
	}
	p, err := c.Console.AuditReport(c.ctx(), c.caller, moments["at"], moments["from"])
	if err != nil {
		return err
	}
	return c.sendPack(p)
}

// sendPack sends a signed file, and removes it.
func (c *call) sendPack(p *govern.EvidencePack) error {
	defer p.Close() // a file that stays is removed with the folder of temporary files
	h := c.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Length", strconv.FormatInt(p.Size, 10))
	h.Set("Content-Disposition", `attachment; filename="`+p.Name+`"`)
	if _, err := io.Copy(c.w, io.NewSectionReader(p, 0, p.Size)); err != nil {
		c.Log.WarnContext(c.ctx(), "a download ended early", "request", c.id, "file", p.Name, "error", err)
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return nil
}
