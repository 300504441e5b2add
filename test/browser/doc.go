// Package browser tests the console's pages in Chromium: it starts the built programs, does
// what the installation guides say, and checks every page for accessibility, in both themes
// and on a phone's width. It is a module of its own, because only it needs a browser.
//
// BATON_TEST_BROWSER=require makes a missing browser, or a missing BATON_TEST_AXE (the file
// axe.min.js of axe-core), a failure instead of a skip. BATON_TEST_PICTURES names a folder
// for pictures of the pages, BATON_TEST_DOCUMENT the one for those of the README.
package browser
