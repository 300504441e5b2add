// Package telemetry is how the console is observed: the id of a request in the context and in log
// lines, the metrics of this process, and spans of traces.
package telemetry
