// Package review runs access reviews ([console.Campaign]): it freezes populations, finds reviewers,
// takes decisions, ends reviews and follows what becomes of the removals. The commands of people are
// in package govern, which checks their rights.
package review
