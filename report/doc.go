// Package report turns a sync, or the difference between two, into what an access
// reviewer can read without other tools: one self-contained HTML page, tables as CSV,
// or the whole of it as JSON.
//
//	c1z.File ─▶ population (who is there, who holds what) ─┬▶ page ─▶ HTML
//	           └▶ differences (what changed, and with what) ─┼▶ tables ─▶ CSV
//	                                                         └▶ records ─▶ JSON, JSON Lines
//
// It works on the vocabulary of package baton, for any connector. What is particular
// to one comes from it as data: [baton.Connector.Roles] says what amounts to which
// role, [baton.ResourceType.Ranks] which entitlements are stages of one thing,
// [baton.ResourceType.Columns] which attributes are worth a column, and
// [baton.Connector.Review] is quoted. All of that applies only to files whose resource types
// are the connector's; a page has its name only if the file is its own.
//
// A browser opens a page quickly when it has few elements, so long tables have their first
// rows in the HTML and all of them in a JSON block, from which the script makes the rows
// that are looked at. Without the script, the first rows are there.
//
// The output is a function of the files and the options: there is no clock in it, so
// the same file gives the same bytes.
//
// Names come from elsewhere and may be hostile. In HTML they are escaped by
// markup and cannot run besides, for the page's policy allows its own script
// only; control characters and invisible formatting show as escapes; a cell of a
// table that a spreadsheet would take for a formula begins with an apostrophe. JSON is
// the form that loses nothing.
package report
