// A TLS peer of Go's standard library: answers HTTP requests of clients with a certificate, or makes one request itself.
// It takes the same arguments as the peers for Node and Python beside it.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type settings struct {
	address, cert, key, ca, name, version, group string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("server or client?")
	}
	var given settings
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.StringVar(&given.address, "address", "", "where to listen, or whom to ask")
	flags.StringVar(&given.cert, "cert", "", "own certificate chain, PEM; a client may have none")
	flags.StringVar(&given.key, "key", "", "its key, PEM")
	flags.StringVar(&given.ca, "ca", "", "trusted authorities, PEM")
	flags.StringVar(&given.name, "name", "", "DNS name of the server that a client asks")
	flags.StringVar(&given.version, "version", "1.3", "1.3 or 1.2")
	flags.StringVar(&given.group, "group", "X25519MLKEM768", "the one group to use: X25519MLKEM768 or X25519")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	config, err := given.config()
	if err != nil {
		return err
	}
	switch arguments[0] {
	case "server":
		return serve(given, config)
	case "client":
		return ask(given, config)
	}
	return fmt.Errorf("%q is neither server nor client", arguments[0])
}

func (given settings) config() (*tls.Config, error) {
	pem, err := os.ReadFile(given.ca)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("no authority")
	}
	versions := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
	groups := map[string]tls.CurveID{"X25519MLKEM768": tls.X25519MLKEM768, "X25519": tls.X25519}
	config := &tls.Config{
		MinVersion:       versions[given.version],
		MaxVersion:       versions[given.version],
		CurvePreferences: []tls.CurveID{groups[given.group]},
		RootCAs:          authorities,
		ClientCAs:        authorities,
		ClientAuth:       tls.RequireAndVerifyClientCert,
		ServerName:       given.name,
	}
	if given.cert != "" {
		own, err := tls.LoadX509KeyPair(given.cert, given.key)
		if err != nil {
			return nil, err
		}
		// A client shows its certificate whatever the server says it would accept: refusing is the server's to do.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

func serve(given settings, config *tls.Config) error {
	listener, err := tls.Listen("tcp", given.address, config)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	answer := func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "hello") }
	return (&http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}

func ask(given settings, config *tls.Config) error {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 20 * time.Second}
	answer, err := client.Get("https://" + given.address + "/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	fmt.Println(answer.Proto, answer.Status)
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
