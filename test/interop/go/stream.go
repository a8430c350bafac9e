// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// Many messages through a stream: every one comes, once, in order, and every ack counts.
package main

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const limit = 3 * time.Minute // of everything that one test does

// volume is how many messages a test sends; INTEROP_MESSAGES makes it fewer for slow builds of the server.
func volume() int {
	if n, err := strconv.Atoi(os.Getenv("INTEROP_MESSAGES")); err == nil && n > 0 {
		return n
	}
	return 100000
}

// streaming is a server with JetStream in a folder of its own.
func (t *T) streaming() *Server {
	return t.serverWith("", "-js", "-sd", t.folder())
}

// lasting is a client that outlives every restart of the server.
func (t *T) lasting(s *Server) *nats.Conn {
	return t.client(s, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

// stream creates S, which takes s.>.
func (t *T) stream(nc *nats.Conn, retention jetstream.RetentionPolicy) jetstream.Stream {
	stream, err := t.new(nc).CreateStream(t.context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"},
		Retention: retention})
	t.must(err)
	return stream
}

// fill publishes the numbers from 1 to count and checks every ack.
func (t *T) fill(nc *nats.Conn, count int) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000))
	t.must(err)
	acks := make([]jetstream.PubAckFuture, count)
	for i := range acks {
		acks[i], err = js.PublishAsync("s."+strconv.Itoa(i%10), []byte(strconv.Itoa(i+1)),
			jetstream.WithStallWait(patience))
		t.must(err)
	}
	for i, future := range acks {
		select {
		case ack := <-future.Ok():
			t.check(ack.Sequence == uint64(i+1), "message %d is %d in the stream", i+1, ack.Sequence)
		case err := <-future.Err():
			t.must(err)
		case <-time.After(limit):
			t.check(false, "no ack of message %d", i+1)
		}
	}
}

func readAll(w way) func(*T) {
	return func(t *T) {
		s := t.streaming()
		nc, count := t.client(s), volume()
		stream := t.stream(nc, jetstream.LimitsPolicy)
		t.fill(nc, count)
		var got, wrong atomic.Int64
		w.read(t, t.client(s), func(d delivery) {
			want := got.Add(1)
			if d.data != strconv.FormatInt(want, 10) || d.stream != uint64(want) || d.consumer != uint64(want) {
				wrong.CompareAndSwap(0, want)
			}
			if !w.ordered && d.ack() != nil {
				wrong.CompareAndSwap(0, want)
			}
		})
		t.within(limit, "all messages", func() bool { return got.Load() >= int64(count) || wrong.Load() != 0 })
		t.check(wrong.Load() == 0, "message %d is wrong", wrong.Load())
		if !w.ordered {
			t.allAcked(stream, uint64(count))
		}
		t.check(got.Load() == int64(count), "%d messages too many", got.Load()-int64(count))
	}
}

// allAcked waits until the server says that nothing of the stream is left to do for D.
func (t *T) allAcked(stream jetstream.Stream, last uint64) {
	var consumer jetstream.Consumer
	var info *jetstream.ConsumerInfo
	t.until("the last ack", func() bool {
		push, err := stream.PushConsumer(t.context(), "D")
		if err == nil {
			info, err = push.Info(t.context())
		} else if consumer, err = stream.Consumer(t.context(), "D"); err == nil {
			info, err = consumer.Info(t.context())
		}
		t.must(err)
		return info.AckFloor.Stream == last
	})
	t.check(info.NumAckPending == 0 && info.NumPending == 0, "%d unacked, %d pending", info.NumAckPending,
		info.NumPending)
}
