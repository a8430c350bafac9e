// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const patience = 20 * time.Second

// until waits for the condition, never for a guessed time.
func (t *T) until(what string, condition func() bool) {
	t.within(patience, what, condition)
}

func (t *T) within(limit time.Duration, what string, condition func() bool) {
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(5 * time.Millisecond) {
		t.check(time.Now().Before(deadline), "waited in vain for %s", what)
	}
}

type safeBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) text() string {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.String()
}

// Server is a server process on random ports, known from its ports file.
type Server struct {
	t      *T
	folder string
	args   []string
	log    safeBuffer
	cmd    *exec.Cmd
	exited chan struct{}
	ports  map[string][]string
	port   string
}

func (t *T) server(config string) *Server {
	return t.serverWith(config)
}

func (t *T) serverWith(config string, args ...string) *Server {
	s := &Server{t: t, folder: t.folder(), args: args}
	t.must(os.WriteFile(filepath.Join(s.folder, "server.conf"), []byte("logtime: true\n"+config), 0o600))
	s.start("-1")
	t.cleanup(func() {
		s.stop(syscall.SIGKILL)
		if at := report.FindStringIndex(s.log.text()); at != nil {
			t.late = s.log.text()[at[0]:min(at[0]+4000, len(s.log.text()))]
		}
	})
	return s
}

// report is how what a sanitizer tells begins.
var report = regexp.MustCompile(`runtime error: |ERROR: [A-Za-z]+Sanitizer`)

func (s *Server) start(port string) {
	ports := filepath.Join(s.folder, "ports")
	s.t.must(os.RemoveAll(ports))
	s.t.must(os.Mkdir(ports, 0o700))
	s.cmd = exec.Command(binary, append([]string{"-a", "127.0.0.1", "-p", port, "-m", "-1", "--ports_file_dir", ports,
		"-c", filepath.Join(s.folder, "server.conf")}, s.args...)...)
	s.cmd.Stderr = &s.log
	s.t.must(s.cmd.Start())
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	s.t.until("the ports file", func() bool {
		files, _ := filepath.Glob(filepath.Join(ports, fmt.Sprintf("*_%d.ports", s.cmd.Process.Pid)))
		if len(files) == 0 {
			return false
		}
		text, err := os.ReadFile(files[0])
		s.ports = nil
		return err == nil && json.Unmarshal(text, &s.ports) == nil
	})
	where, err := url.Parse(s.ports["nats"][0])
	s.t.must(err)
	s.port = where.Port()
}

func (s *Server) url() string {
	return "nats://127.0.0.1:" + s.port
}

func (s *Server) signal(signal syscall.Signal) {
	s.t.must(s.cmd.Process.Signal(signal))
}

func (s *Server) stop(signal syscall.Signal) {
	s.cmd.Process.Signal(signal)
	<-s.exited
}

// get reads a monitoring page.
func (s *Server) get(path string, into any) {
	response, err := http.Get(s.ports["monitoring"][0] + path)
	s.t.must(err)
	defer response.Body.Close()
	s.t.must(json.NewDecoder(response.Body).Decode(into))
}

type connz struct {
	Connections []struct {
		Subscriptions int `json:"subscriptions"`
	} `json:"connections"`
}

func (s *Server) subscriptions() int {
	var page connz
	s.get("/connz?sort=subs", &page)
	if len(page.Connections) == 0 {
		return 0
	}
	return page.Connections[0].Subscriptions
}

// certificates makes ca.pem and, signed by it, server and client .pem and .key.
func (t *T) certificates() string {
	folder := t.folder()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Midge test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authorityKey := t.certificate(folder, "ca", authority, authority, nil)
	for i, name := range []string{"server", "client"} {
		use := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}[i]
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: name},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{use}, DNSNames: []string{"localhost"},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		t.certificate(folder, name, leaf, authority, authorityKey)
	}
	return folder
}

func (t *T) certificate(folder, name string, leaf, parent *x509.Certificate,
	signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t.must(err)
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, signer)
	t.must(err)
	secret, err := x509.MarshalECPrivateKey(key)
	t.must(err)
	write := func(suffix, kind string, der []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		t.must(os.WriteFile(filepath.Join(folder, name+suffix), text, 0o600))
	}
	write(".pem", "CERTIFICATE", der)
	write(".key", "EC PRIVATE KEY", secret)
	return key
}

// T is one test: a failed check ends it, cleanups run in reverse order.
type T struct {
	cleanups []func()
	late     string // what went wrong behind its end
}

type failure string

func (t *T) check(holds bool, format string, args ...any) {
	if !holds {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

func (t *T) must(err error) {
	t.check(err == nil, "%v", err)
}

func (t *T) cleanup(f func()) {
	t.cleanups = append(t.cleanups, f)
}

func (t *T) folder() string {
	folder, err := os.MkdirTemp("", "interop-go-")
	t.must(err)
	t.cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// run gives "" or what went wrong.
func (t *T) run(test func(*T)) (wrong string) {
	defer func() {
		if r := recover(); r != nil {
			wrong = strings.ReplaceAll(fmt.Sprint(r), "\n", "\n    ")
		}
		for i := len(t.cleanups) - 1; i >= 0; i-- {
			t.cleanups[i]()
		}
		if wrong == "" {
			wrong = t.late
		}
	}()
	test(t)
	return ""
}
