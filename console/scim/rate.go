package scim

import (
	"sync"
	"time"

	"baton/console"
)

// rates counts the requests of identity providers. Each has a bucket of [maxBurst] that fills with
// [maxPerSecond].
type rates struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[console.ID]*bucket // identity providers are few
}

type bucket struct {
	left float64
	at   time.Time
}

// allow reports whether an identity provider may make a request now, and counts it.
func (r *rates) allow(source console.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b := r.buckets[source]
	if b == nil {
		if r.buckets == nil {
			r.buckets = map[console.ID]*bucket{}
		}
		b = &bucket{maxBurst, now}
		r.buckets[source] = b
	}
	b.left, b.at = min(maxBurst, b.left+max(0, now.Sub(b.at).Seconds())*maxPerSecond), now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
