// Package sqlitefile lays out SQLite databases.
package sqlitefile
