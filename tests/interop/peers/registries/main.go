// Command registry-peer serves one of two container registries of others in memory, on the address it is given:
// go-containerregistry's, which lists referrers and does not say so when it stores a manifest, and that of CUE, which does both.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	kind := flag.String("kind", "", "which registry: ggcr or cue")
	address := flag.String("listen", "127.0.0.1:0", "the address to listen on")
	user := flag.String("user", "", "name:password that is asked for; empty asks for none")
	flag.Parse()
	handler, err := registryOf(*kind)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if *user != "" {
		handler = withPassword(handler, *user)
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}

func registryOf(kind string) (http.Handler, error) {
	switch kind {
	case "ggcr":
		return registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(os.Stderr, "", 0))), nil
	case "cue":
		return ociserver.New(ocimem.New(), nil), nil
	}
	return nil, fmt.Errorf("there is no registry of the kind %q", kind)
}

func withPassword(inner http.Handler, wanted string) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		name, password, _ := request.BasicAuth()
		if name+":"+password != wanted {
			response.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(response, `{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}`, http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(response, request)
	})
}
