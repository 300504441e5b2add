package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"baton/internal/pause"
)

func TestFor(t *testing.T) {
	why := errors.New("no need")
	for name, tt := range map[string]struct {
		d, cancelAfter, took time.Duration
		want                 error
	}{
		"to the end":                    {d: time.Minute, cancelAfter: time.Hour, took: time.Minute},
		"cut short":                     {d: time.Hour, cancelAfter: time.Minute, took: time.Minute, want: why},
		"nothing to wait for":           {d: 0, cancelAfter: time.Hour},
		"less than nothing":             {d: -1, cancelAfter: time.Hour},
		"nothing to wait for, and late": {d: 0, want: why},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if tt.cancelAfter == 0 {
					cancel(why)
				} else {
					time.AfterFunc(tt.cancelAfter, func() { cancel(why) })
				}
				began := time.Now()
				if err := pause.For(ctx, tt.d); err != tt.want || time.Since(began) != tt.took {
					t.Errorf("%v after %s, want %v after %s", err, time.Since(began), tt.want, tt.took)
				}
			})
		})
	}
}
