package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"baton"
	"baton/internal/english"

	"github.com/spf13/cobra"
)

// healthCheckCommand requests the health of a service on this machine, for containers that
// have no other HTTP client.
func (r *run) healthCheckCommand() *cobra.Command {
	var endpoint string
	var timeout int
	c := r.command("health-check", "Check the health of the service on this machine", func(ctx context.Context) error {
		if err := r.start("", false); err != nil {
			return err
		}
		if err := r.accepts("health-check", []area{areaConnector, areaNetwork, areaOutput, areaService, areaTelemetry}); err != nil {
			return err
		}
		return r.healthCheck(ctx, endpoint, time.Duration(timeout)*time.Second)
	})
	c.Long = "The exit code is 0 if the service is healthy. The service must have been started with --health-check. --health-check-port and --health-check-bind-address apply here as well."
	c.Flags().StringVar(&endpoint, "endpoint", "health", "endpoint to request: health, ready or live")
	c.Flags().IntVar(&timeout, "timeout", 5, "seconds to wait for the answer")
	return c
}

func (r *run) healthCheck(ctx context.Context, endpoint string, timeout time.Duration) error {
	endpoints := []string{"health", "ready", "live"}
	if !slices.Contains(endpoints, endpoint) || timeout <= 0 {
		return baton.Errorf(baton.Invalid, "--endpoint %s --timeout %s: there is no such endpoint, or no time to wait", endpoint, timeout).WithFix("use %s", english.Or(endpoints))
	}
	host := r.Values.String("health-check-bind-address")
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(r.Values.Int("health-check-port"))) + "/" + endpoint
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return baton.Errorf(baton.Invalid, "health check: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	resp, err := client.Do(req)
	if err != nil {
		return baton.Errorf(baton.Unavailable, "health check: %w", err).WithFix("is the service running, with --health-check and the same --health-check-port?")
	}
	defer resp.Body.Close()
	var body struct {
		Status  string            `json:"status"`
		Details map[string]string `json:"details"`
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(b, &body) != nil || body.Status == "" {
		return baton.Errorf(baton.Unavailable, "health check: the answer of %s is not that of a connector (%s)", url, resp.Status)
	}
	if resp.StatusCode != http.StatusOK {
		return baton.Errorf(baton.Unavailable, "%s", fmt.Sprintf("%s: %s", body.Status, body.Details["error"]))
	}
	r.line("%s", body.Status)
	return nil
}
