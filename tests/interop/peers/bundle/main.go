// Command bundle-oracle verifies a Sigstore bundle v0.3 of a DSSE envelope with Go's standard library alone: an ML-DSA or ECDSA
// public key in PEM, and what the bundle says of itself. It prints the payload, or says why there is none to believe.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/mldsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

type bundle struct {
	MediaType            string `json:"mediaType"`
	VerificationMaterial struct {
		PublicKey struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
	} `json:"verificationMaterial"`
	DsseEnvelope struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	} `json:"dsseEnvelope"`
}

func main() {
	payload, err := verified(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(payload)
}

func verified(keyFile, bundleFile string) ([]byte, error) {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	document, err := os.ReadFile(bundleFile)
	if err != nil {
		return nil, err
	}
	var read bundle
	if err := json.Unmarshal(document, &read); err != nil {
		return nil, err
	}
	if read.MediaType != "application/vnd.dev.sigstore.bundle.v0.3+json" || len(read.DsseEnvelope.Signatures) != 1 {
		return nil, errors.New("not a bundle of version 0.3 with one signature")
	}
	hash := sha256.Sum256(block.Bytes)
	if read.VerificationMaterial.PublicKey.Hint != base64.StdEncoding.EncodeToString(hash[:]) {
		return nil, errors.New("the hint is of another key")
	}
	envelope := read.DsseEnvelope
	var signed bytes.Buffer
	fmt.Fprintf(&signed, "DSSEv1 %d %s %d ", len(envelope.PayloadType), envelope.PayloadType, len(envelope.Payload))
	signed.Write(envelope.Payload)
	return envelope.Payload, check(key, signed.Bytes(), envelope.Signatures[0].Sig)
}

func check(key any, message, signature []byte) error {
	switch key := key.(type) {
	case *mldsa.PublicKey:
		return mldsa.Verify(key, message, signature, nil)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		if !ecdsa.VerifyASN1(key, digest[:], signature) {
			return errors.New("not a signature of this key")
		}
		return nil
	}
	return fmt.Errorf("a key of type %T", key)
}
