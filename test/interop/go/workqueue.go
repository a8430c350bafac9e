// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// A work queue and five workers, who refuse, give up and crash: every message is done by one of them, once.
package main

import (
	"context"
	"math/rand"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A worksheet holds what became of every message.
type worksheet struct {
	sync.Mutex
	done    map[string]int       // confirmed acks
	unclear map[string]int       // terms, and acks without confirmation
	since   map[string]time.Time // when done
	again   string               // a message that came although it was done
	crashes int
	naks    int

	forgetful bool // an ack may be forgotten although it was confirmed
}

func (w *worksheet) note(in map[string]int, msg jetstream.Msg) {
	w.Lock()
	defer w.Unlock()
	in[string(msg.Data())]++
}

// finished gives how many messages have been acked, perhaps without the confirmation reaching the worker.
func (w *worksheet) finished() int {
	w.Lock()
	defer w.Unlock()
	count := len(w.done)
	for text := range w.unclear {
		if w.done[text] == 0 {
			count++
		}
	}
	return count
}

// take notes that a message has come, which one that was done before must not.
func (w *worksheet) take(msg jetstream.Msg) {
	w.Lock()
	defer w.Unlock()
	if since, ok := w.since[string(msg.Data())]; ok && !w.forgetful && time.Since(since) > crossing {
		w.again = string(msg.Data())
	}
}

// handle does one message, or does not.
func (w *worksheet) handle(ctx context.Context, nc *nats.Conn, msg jetstream.Msg, dice *rand.Rand) {
	switch roll := dice.Intn(100); {
	case roll < 4:
		w.Lock()
		w.naks++
		w.Unlock()
		msg.Nak()
	case roll < 6:
		msg.NakWithDelay(time.Duration(dice.Intn(200)) * time.Millisecond)
	case roll < 8:
		// A term is never confirmed, but it must have left before the worker vanishes.
		w.note(w.unclear, msg)
		msg.TermWithReason("no good")
		nc.FlushTimeout(confirm)
	default:
		once, cancel := context.WithTimeout(ctx, confirm)
		defer cancel()
		if msg.DoubleAck(once) == nil {
			w.note(w.done, msg)
			w.Lock()
			w.since[string(msg.Data())] = time.Now()
			w.Unlock()
		} else {
			w.note(w.unclear, msg)
		}
	}
}

// life is how many messages a worker handles at most before it vanishes.
const life = 100

// work fetches and handles until the worker vanishes, which leaves the rest of a batch to others.
func (w *worksheet) work(ctx context.Context, nc *nats.Conn, dice *rand.Rand) {
	js, err := jetstream.New(nc)
	if err != nil {
		return
	}
	consumer, err := js.Consumer(ctx, "S", "D")
	left := life/10 + dice.Intn(life-life/10)
	for err == nil && ctx.Err() == nil {
		batch, err := consumer.Fetch(10, jetstream.FetchMaxWait(heartbeat))
		if err != nil {
			continue
		}
		var messages []jetstream.Msg
		for msg := range batch.Messages() {
			w.take(msg)
			messages = append(messages, msg)
		}
		for _, msg := range messages {
			if left--; left == 0 {
				return
			}
			w.handle(ctx, nc, msg, dice)
		}
	}
}

// A line is a dialer whose connection can be cut without a word, and without what is still to be sent.
type line struct {
	conn atomic.Pointer[net.TCPConn]
}

func (l *line) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, patience)
	if tcp, ok := conn.(*net.TCPConn); ok {
		l.conn.Store(tcp)
	}
	return conn, err
}

func (l *line) cut() {
	if conn := l.conn.Load(); conn != nil {
		conn.SetLinger(0)
		conn.Close()
	}
}

// worker works, vanishes and comes back, until the context ends.
func (w *worksheet) worker(ctx context.Context, s *Server, seed int64) {
	dice := rand.New(rand.NewSource(seed))
	for ctx.Err() == nil {
		var own line
		nc, err := nats.Connect(s.url(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
			nats.SetCustomDialer(&own), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			continue
		}
		w.work(ctx, nc, dice)
		own.cut()
		nc.Close()
		w.Lock()
		w.crashes++
		w.Unlock()
	}
}

// workQueue is shared by five workers; each of the signals restarts the server in the middle.
func workQueue(signals ...syscall.Signal) func(*T) {
	return func(t *T) {
		s, count := t.streaming(), volume()/10
		nc := t.lasting(s)
		stream := t.stream(nc, jetstream.WorkQueuePolicy)
		consumer, err := stream.CreateConsumer(t.context(), durable)
		t.must(err)
		t.fill(nc, count)
		sheet := &worksheet{done: map[string]int{}, unclear: map[string]int{}, since: map[string]time.Time{},
			forgetful: slices.Contains(signals, syscall.SIGKILL) && forgetsWhenKilled()}
		ctx, cancel := context.WithCancel(t.context())
		var workers sync.WaitGroup
		for i := range 5 {
			workers.Go(func() { sheet.worker(ctx, s, int64(i)) })
		}
		t.cleanup(func() { cancel(); workers.Wait() })
		for i, signal := range signals {
			t.within(limit, "the work to go on", func() bool {
				return sheet.finished() > (i+1)*count/(len(signals)+1)
			})
			s.stop(signal)
			s.start(s.port)
		}
		t.within(limit, "all work to be done", func() bool {
			info, err := stream.Info(t.context())
			return err == nil && info.State.Msgs == 0
		})
		info, err := consumer.Info(t.context())
		t.must(err)
		t.check(info.NumAckPending == 0 && info.NumPending == 0, "%d unacked, %d pending", info.NumAckPending,
			info.NumPending)
		cancel()
		workers.Wait()
		sheet.judge(t, count, len(signals) > 0)
	}
}

func (w *worksheet) judge(t *T, count int, interrupted bool) {
	t.check(w.crashes >= count/life && w.naks > 0, "%d crashes, %d naks", w.crashes, w.naks)
	t.check(w.again == "", "message %s came again after its ack was confirmed", w.again)
	for i := range count {
		text := strconv.Itoa(i + 1)
		t.check(w.done[text]+w.unclear[text] > 0, "message %s is gone and was never done", text)
		// One that was under way when the server was killed may have come to two workers, who both may have done it.
		t.check(interrupted || w.done[text]+w.unclear[text] == 1, "message %s was done twice", text)
	}
}
