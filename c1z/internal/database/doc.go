// Package database unpacks a c1z file into a scratch file and opens the SQLite database in
// it. The file may be anybody's: its size, its window, its b-trees and its values are
// bounded before SQLite reads them.
package database
