// Package evidence makes and verifies evidence packs: ZIP files that prove what a review of access
// covered, who decided what, and what became of it, to somebody who has never seen the console.
// docs/evidence-pack.md describes the format.
package evidence
