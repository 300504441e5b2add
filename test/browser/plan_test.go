package browser

import (
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// plan selects all holders of an entitlement of Perplexity, by the key alone, makes a plan to remove it
// from them, and returns its address.
func (b *browser) plan(entitlement, why string) (path string) {
	b.t.Helper()
	b.open(b.entitlementPath(b.appPath("Perplexity"), entitlement))
	var rows int
	if err := b.eval(`document.querySelectorAll("input[name=row]").length`, &rows); err != nil || rows == 0 {
		b.t.Fatalf("nothing can be selected (%v)\n%s", err, b.text())
	}
	for range rows {
		b.run("select a row", chromedp.KeyEvent("j"), chromedp.KeyEvent("x"))
	}
	var selected int
	if err := b.eval(`document.querySelectorAll("input[name=row]:checked").length`, &selected); err != nil || selected != rows {
		b.t.Errorf("%d of %d rows are selected by keys (%v)", selected, rows, err)
	}
	b.fill("Why is it removed?", why)
	b.click("button", "Plan to remove it")
	b.until("the plan is computed", `document.body.innerText.includes("Consequence")`)
	if err := b.eval(`location.pathname`, &path); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// TestPlan removes a group from its members with a plan, until a sync shows it; the last
// administrators stay; and an account that is in two groups of roles keeps one.
func TestPlan(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	file := filepath.Join(t.TempDir(), "demo.env")
	start(t, "Everything is there.", dir, "baton-console", nil, "demo", "--env-file", file)
	b := newBrowser(t, envFile(t, file)["CONSOLE_URL"])
	b.quick = true
	b.as("sets up everything")

	b.plan("PPLX_Admin member", "reorganised")
	b.has("blocked by a guard", "the minimum is")
	b.look("plan-blocked")

	path := b.plan("PPLX_Members member", "the contract ended")
	b.look("plan-ready")
	b.apply()
	b.until("the page follows the plan by itself", `document.querySelector("[data-region=rows]").innerText.includes("Verified")`)
	b.shows("Complete")
	b.look("plan-complete")
	b.open0(path + "?result=verified")
	b.has("The operation")

	b.open0("/plans")
	b.look("plans")
	b.open0("/changes?show=unexplained")
	b.look("changes-plan")
	b.open0(b.appPath("Perplexity") + "/accounts?filter=several-roles")
	b.look("accounts-plan")
}
