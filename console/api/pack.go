package api

import (
	"io"
	"net/http"
	"strconv"
)

// campaignPack sends the evidence pack of a review.
func campaignPack(c *call) error {
	p, err := c.Console.EvidencePack(c.ctx(), c.caller, c.path("campaign"))
	if err != nil {
		return err
	}
	defer p.Close() // a file that stays is removed with the folder of temporary files
	h := c.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Length", strconv.FormatInt(p.Size, 10))
	h.Set("Content-Disposition", `attachment; filename="`+p.Name+`"`)
	if _, err := io.Copy(c.w, io.NewSectionReader(p, 0, p.Size)); err != nil {
		c.Log.WarnContext(c.ctx(), "a download ended early", "request", c.id, "review", c.path("campaign"), "error", err)
		panic(http.ErrAbortHandler) // an incomplete file must not look complete
	}
	return nil
}
