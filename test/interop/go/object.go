// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// A large object in and out, whole, while the server restarts.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math/rand"
	"syscall"

	"github.com/nats-io/nats.go/jetstream"
)

// interrupted restarts the server when half of what it reads or writes has passed.
type interrupted struct {
	s      *Server
	signal syscall.Signal
	left   int
}

func (i *interrupted) passed(n int) {
	if i.left > 0 && i.left <= n {
		i.s.stop(i.signal)
		i.s.start(i.s.port)
	}
	i.left -= n
}

func (t *T) digest(info *jetstream.ObjectInfo, want [32]byte) {
	text := "SHA-256=" + base64.URLEncoding.EncodeToString(want[:])
	t.check(info.Digest == text, "the digest is %s, not %s", info.Digest, text)
}

// put tries again as an application has to: what the client had under way when the server went away may be lost.
func (t *T) put(store jetstream.ObjectStore, data []byte, i *interrupted) *jetstream.ObjectInfo {
	for attempt := 0; ; attempt++ {
		in := io.TeeReader(bytes.NewReader(data), writer(i.passed))
		info, err := store.Put(t.context(), jetstream.ObjectMeta{Name: "big"}, in)
		if err == nil {
			return info
		}
		t.check(attempt < 3, "cannot put: %v", err)
	}
}

type writer func(int)

func (w writer) Write(p []byte) (int, error) {
	w(len(p))
	return len(p), nil
}

// largeObject is of 100 MB, or less where messages are fewer.
func largeObject(signal syscall.Signal) func(*T) {
	return func(t *T) {
		s := t.streaming()
		store, err := t.new(t.lasting(s)).CreateObjectStore(t.context(), jetstream.ObjectStoreConfig{Bucket: "O"})
		t.must(err)
		data := make([]byte, volume()*1000)
		rand.New(rand.NewSource(1)).Read(data)
		want := sha256.Sum256(data)
		info := t.put(store, data, &interrupted{s, signal, len(data) / 2})
		t.check(info.Size == uint64(len(data)), "size is %d", info.Size)
		t.digest(info, want)

		object, err := store.Get(t.context(), "big")
		t.must(err)
		sum := sha256.New()
		halfway := &interrupted{s, signal, len(data) / 2}
		n, err := io.Copy(io.MultiWriter(sum, writer(halfway.passed)), object)
		t.must(err)
		t.check(n == int64(len(data)) && bytes.Equal(sum.Sum(nil), want[:]), "%d bytes came, or others", n)
		t.must(object.Close())

		t.must(store.Delete(t.context(), "big"))
		status, err := store.Status(t.context())
		t.must(err)
		t.check(status.Size() < 1000, "%d bytes are left", status.Size())
	}
}
