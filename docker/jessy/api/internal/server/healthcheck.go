package server

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Below the health check's own timeout, so that its log gets a reason.
const healthcheckTimeout = 2 * time.Second

// Healthcheck asks the service on this host and returns an exit code. It needs
// no secret and no tool of the image.
func Healthcheck(listen string) int {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		port = "3000"
	}
	client := http.Client{Timeout: healthcheckTimeout}
	response, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port) + "/api/health")
	if err != nil {
		fmt.Println("unhealthy:", err)
		return 1
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		fmt.Println("unhealthy: the service answered", response.Status)
		return 1
	}
	fmt.Println("healthy")
	return 0
}
