// A TLS client on Go: asks for / as often as `times` says, each time on a connection of its own that
// shows the session of the one before, and prints the bodies. Arguments are NAME=VALUE: port, ca, name,
// times, min and max (1.2, 1.3), ciphers (by name, with commas), curves (P256, X25519, …).
package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func check(problem error) {
	if problem != nil {
		os.Stderr.WriteString(problem.Error() + "\n")
		os.Exit(1)
	}
}

func main() {
	given := map[string]string{"times": "1"}
	for _, argument := range os.Args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		given[name] = value
	}
	authority, problem := os.ReadFile(given["ca"])
	check(problem)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	versions := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	curves := map[string]tls.CurveID{"P256": tls.CurveP256, "P384": tls.CurveP384, "P521": tls.CurveP521,
		"X25519": tls.X25519}
	config := &tls.Config{RootCAs: roots, ServerName: given["name"], MinVersion: versions[given["min"]],
		MaxVersion: versions[given["max"]], ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for _, suite := range tls.CipherSuites() {
		for _, wanted := range strings.Split(given["ciphers"], ",") {
			if suite.Name == wanted {
				config.CipherSuites = append(config.CipherSuites, suite.ID)
			}
		}
	}
	for _, name := range strings.Split(given["curves"], ",") {
		if curve, known := curves[name]; known {
			config.CurvePreferences = append(config.CurvePreferences, curve)
		}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	times, problem := strconv.Atoi(given["times"])
	check(problem)
	for ; times > 0; times-- {
		request, problem := http.NewRequest("GET", "https://127.0.0.1:"+given["port"]+"/", nil)
		check(problem)
		request.Host = given["name"]
		response, problem := client.Do(request)
		check(problem)
		body, problem := io.ReadAll(response.Body)
		check(problem)
		response.Body.Close()
		os.Stdout.Write(body)
	}
}
