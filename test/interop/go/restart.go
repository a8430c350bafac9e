// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// The server goes away in the middle of publishing and reading: what it has confirmed is so afterwards.
package main

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A ledger holds what the server has confirmed and what contradicts it.
type ledger struct {
	sync.Mutex
	stored map[uint64]string // by stream sequence: what a publish ack stands for
	read   map[uint64]string
	done   map[uint64]time.Time // when their acks were confirmed
	wrong  string

	forgetful bool // an ack may be forgotten although it was confirmed
	unacked   chan delivery
}

// crossing is how long a redelivery may have been under way when the confirmation of the ack overtook it.
const crossing = 500 * time.Millisecond

func newLedger(count int) *ledger {
	return &ledger{stored: map[uint64]string{}, read: map[uint64]string{}, done: map[uint64]time.Time{},
		unacked: make(chan delivery, 10*count)}
}

func (l *ledger) contradiction(what string) {
	if l.wrong == "" {
		l.wrong = what
	}
}

// count gives how many messages are stored and read; it ends the test if something was wrong.
func (l *ledger) count(t *T) (int, int) {
	l.Lock()
	defer l.Unlock()
	t.check(l.wrong == "", "%s", l.wrong)
	return len(l.stored), len(l.read)
}

// publish sends every number that comes until the server confirms it, again and again with the same id.
func (l *ledger) publish(ctx context.Context, js jetstream.JetStream, numbers <-chan int) {
	for number := range numbers {
		text := strconv.Itoa(number)
		for ctx.Err() == nil {
			once, cancel := context.WithTimeout(ctx, confirm)
			ack, err := js.Publish(once, "s.x", []byte(text), jetstream.WithMsgID(text))
			cancel()
			if err != nil {
				continue
			}
			l.Lock()
			if other, taken := l.stored[ack.Sequence]; taken {
				l.contradiction("sequence " + strconv.FormatUint(ack.Sequence, 10) + " is both " + other + " and " + text)
			}
			l.stored[ack.Sequence] = text
			l.Unlock()
			break
		}
	}
}

// take notes a delivery as it comes, so that none waits in the client while an earlier copy of it is being acked.
func (l *ledger) take(d delivery, ordered bool) {
	l.Lock()
	defer l.Unlock()
	if done, ok := l.done[d.stream]; ok && !l.forgetful && time.Since(done) > crossing {
		l.contradiction("message " + d.data + " came again after its ack was confirmed")
	}
	if ordered && int(d.stream) != len(l.read)+1 {
		l.contradiction("message " + strconv.FormatUint(d.stream, 10) + " is out of order")
	}
	l.read[d.stream] = d.data
	if !ordered {
		l.unacked <- d
	}
}

// ack acks what was taken, and waits for the confirmation of every tenth. Several do so at once: acks must not be later
// than their time.
func (l *ledger) ack(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-l.unacked:
			if d.stream%10 != 0 {
				d.ack()
			} else if d.confirmed() == nil {
				l.Lock()
				l.done[d.stream] = time.Now()
				l.Unlock()
			}
		}
	}
}

// publishers starts 50 of them on count numbers.
func (l *ledger) publishers(t *T, nc *nats.Conn, count int) {
	numbers, js, ctx := make(chan int), t.new(nc), t.context()
	for range 50 {
		go l.publish(ctx, js, numbers)
	}
	go func() {
		defer close(numbers)
		for i := range count {
			select {
			case numbers <- i + 1:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func restarts(w way, signal syscall.Signal) func(*T) {
	return func(t *T) {
		s, count := t.streaming(), volume()
		nc, l := t.lasting(s), newLedger(count)
		l.forgetful = signal == syscall.SIGKILL && forgetsWhenKilled()
		stream := t.stream(nc, jetstream.LimitsPolicy)
		w.read(t, t.lasting(s), func(d delivery) { l.take(d, w.ordered) })
		for range 10 {
			go l.ack(t.context())
		}
		l.publishers(t, nc, count)
		for part := 1; part <= 3; part++ {
			t.within(limit, "reading to go on", func() bool {
				stored, read := l.count(t)
				return min(stored, read) >= part*count/4
			})
			s.stop(signal)
			s.start(s.port)
		}
		t.within(limit, "all messages", func() bool {
			stored, read := l.count(t)
			return stored == count && read == count
		})
		if !w.ordered {
			t.allAcked(stream, uint64(count))
		}
		l.Lock()
		defer l.Unlock()
		for sequence, text := range l.stored {
			t.check(l.read[sequence] == text, "%d is %q, was confirmed as %q", sequence, l.read[sequence], text)
		}
	}
}

// forgetsWhenKilled: the reference writes acks to its disk some time after it has confirmed them.
func forgetsWhenKilled() bool {
	return strings.HasPrefix(filepath.Base(binary), "nats-server")
}
