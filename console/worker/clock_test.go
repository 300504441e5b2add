package worker

import (
	"testing"
	"time"

	"baton/console"
	"baton/console/rpc"
	"baton/console/store"
)

// TestClock grants access for 24 hours over days on which clocks change, and a leap day, and sets the
// clock of the console back at the worst moments: behind the grant, and while the removal is on its way.
// The access ends neither early nor late, and nothing is sent twice.
func TestClock(t *testing.T) {
	for name, start := range map[string]time.Time{
		"spring in Europe":     time.Date(2027, 3, 27, 23, 30, 0, 0, time.UTC),
		"autumn in Europe":     time.Date(2027, 10, 30, 23, 30, 0, 0, time.UTC),
		"a leap day":           time.Date(2028, 2, 28, 23, 30, 0, 0, time.UTC),
		"the end of leap year": time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, x *world) {
				c := newCourse(x)
				person, _ := c.dan()
				c.now = start
				c.sync()
				c.asks(person, 24*time.Hour)
				effect := c.granted()
				end := effect.Add(24 * time.Hour)

				c.now = end.Add(-time.Minute)
				c.work()
				c.noWrite("a minute early")
				c.now = effect.Add(-time.Hour)
				c.work()
				c.noWrite("the clock is behind the grant")
				c.now = end
				c.work()
				removal := c.write("the end")

				c.now = end.Add(-2 * time.Hour)
				c.work()
				c.noWrite("the clock was set back, and the removal is on its way")
				c.carryOut(removal)
				c.finish(removal, rpc.Result{})
				c.work()
				c.noWrite("the clock was set back, and the removal is done")
				c.now = end.Add(time.Minute)
				c.sync()
				c.now = end.Add(48 * time.Hour)
				c.sync()
				c.noWrite("two days later")
				c.view(func(tx *store.Tx) error {
					all, err := tx.Operations(c.account("dan"), c.member("staff"))
					if len(all) != 2 {
						t.Errorf("%d operations", len(all))
					}
					for _, o := range all {
						if o.State != console.Verified {
							t.Errorf("%s: %s", o.Verb, o.State)
						}
					}
					return err
				})
				if c.changes != 2 {
					t.Errorf("the application was changed %d times", c.changes)
				}
				if r, err := c.s.VerifyChain(t.Context()); err != nil || len(r.Faults) > 0 {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}
