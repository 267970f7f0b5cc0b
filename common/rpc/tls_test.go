package rpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/fairwayfreight/fairway/common/fault"
	"github.com/fairwayfreight/fairway/common/rpc"
	echopb "github.com/fairwayfreight/fairway/interface-center/out/echo"
)

// certificate is one that signs itself, for 127.0.0.1, server and client alike.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "echo"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestMutualTLS(t *testing.T) {
	w := newWorld(t)
	cert, roots := certificate(t)
	w.serveWith(rpc.EndpointConfig{TLS: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}}, rpc.ServerConfig{}, &echo{})
	for _, tt := range []struct {
		name   string
		config *tls.Config
		want   fault.Code
	}{
		{"with a certificate", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, ""},
		{"without one", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, fault.Unavailable},
		{"without TLS", nil, fault.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := rpc.NewClient(rpc.ClientConfig{Registry: w.reg, TLS: tt.config, Logger: w.logger()})
			defer c.Close()
			_, err := stub(c).Call(within(t, 5*time.Second), &echopb.Message{})
			if tt.want == "" && err != nil || tt.want != "" && !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
