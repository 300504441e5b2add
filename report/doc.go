// Package report writes a sync, or the difference between two syncs, in forms that an access
// reviewer can read without other tools: a self-contained HTML page, tables as CSV, or everything
// as JSON.
//
//	c1z.File ─▶ population (who is there, who holds what) ─┬▶ page ─▶ HTML
//	           └▶ differences (what changed, and with what) ─┼▶ tables ─▶ CSV
//	                                                         └▶ records ─▶ JSON, JSON Lines
//
// It works with the types of package baton, for any connector. A connector describes its
// specifics as data: [baton.Connector.Roles] maps entitlements to roles,
// [baton.ResourceType.Ranks] lists entitlements that are stages, [baton.ResourceType.Columns] lists
// attributes that get a column, and the notes of [baton.Connector.Review] are quoted. This
// applies only to files with the resource types of the connector. The page names the connector
// only if it wrote the file.
//
// Browsers open pages with few elements quickly. So long tables have only their first rows in the
// HTML, and all rows in a JSON block, from which the script makes the visible rows. Without the
// script, the first rows are shown.
//
// The output depends only on the files and the options, not on the time: the same file gives the
// same bytes.
//
// Names come from the upstream and are not trusted. Package markup escapes them in HTML, and the
// policy of the page allows only its own script. Control characters and invisible formatting
// are shown as escapes. A cell of a table that a spreadsheet could take for a formula gets an
// apostrophe in front. Only JSON loses nothing.
package report
