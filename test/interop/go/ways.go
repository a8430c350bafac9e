// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// The ways to read a stream: pull, push and ordered, each in the old and in the new API of the client.
package main

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A delivery of a message, as both APIs have it.
type delivery struct {
	data      string
	stream    uint64 // its sequences
	consumer  uint64
	ack       func() error
	confirmed func() error // acks and waits for the answer
}

// A way reads the stream S from its beginning, as the durable consumer D unless it is ordered.
type way struct {
	name    string
	ordered bool
	read    func(t *T, nc *nats.Conn, deliver func(delivery))
}

var ways = []way{
	{"pull, old API", false, pullOld},
	{"push, old API", false, pushOld},
	{"ordered, old API", true, orderedOld},
	{"pull, new API", false, pullNew},
	{"push, new API", false, pushNew},
	{"ordered, new API", true, orderedNew},
}

const (
	ackWait   = 3 * time.Second
	heartbeat = time.Second
	confirm   = 2 * time.Second
)

func fromOld(msg *nats.Msg) delivery {
	meta, err := msg.Metadata()
	if err != nil {
		return delivery{}
	}
	return delivery{string(msg.Data), meta.Sequence.Stream, meta.Sequence.Consumer,
		func() error { return msg.Ack() },
		func() error { return msg.AckSync(nats.AckWait(confirm)) }}
}

func fromNew(msg jetstream.Msg) delivery {
	meta, err := msg.Metadata()
	if err != nil {
		return delivery{}
	}
	return delivery{string(msg.Data()), meta.Sequence.Stream, meta.Sequence.Consumer, msg.Ack,
		func() error {
			ctx, cancel := context.WithTimeout(context.Background(), confirm)
			defer cancel()
			return msg.DoubleAck(ctx)
		}}
}

func (t *T) old(nc *nats.Conn) nats.JetStreamContext {
	js, err := nc.JetStream(nats.MaxWait(patience))
	t.must(err)
	return js
}

func (t *T) new(nc *nats.Conn) jetstream.JetStream {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	t.must(err)
	return js
}

func (t *T) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.cleanup(cancel)
	return ctx
}

func pullOld(t *T, nc *nats.Conn, deliver func(delivery)) {
	sub, err := t.old(nc).PullSubscribe("", "D", nats.BindStream("S"), nats.AckWait(ackWait),
		nats.MaxAckPending(10000))
	t.must(err)
	ctx := t.context()
	go func() {
		for ctx.Err() == nil {
			batch, err := sub.FetchBatch(500, nats.MaxWait(heartbeat))
			if err != nil {
				continue
			}
			for msg := range batch.Messages() { // as they come: Fetch keeps them until there are 500
				deliver(fromOld(msg))
			}
		}
	}()
}

func pushOld(t *T, nc *nats.Conn, deliver func(delivery)) {
	sub, err := t.old(nc).Subscribe("", func(msg *nats.Msg) { deliver(fromOld(msg)) }, nats.BindStream("S"),
		nats.Durable("D"), nats.ManualAck(), nats.AckWait(ackWait), nats.MaxAckPending(10000),
		nats.IdleHeartbeat(heartbeat), nats.EnableFlowControl())
	t.must(err)
	t.must(sub.SetPendingLimits(-1, -1))
}

func orderedOld(t *T, nc *nats.Conn, deliver func(delivery)) {
	sub, err := t.old(nc).Subscribe("", func(msg *nats.Msg) { deliver(fromOld(msg)) }, nats.BindStream("S"),
		nats.OrderedConsumer(), nats.IdleHeartbeat(heartbeat))
	t.must(err)
	t.must(sub.SetPendingLimits(-1, -1))
}

var durable = jetstream.ConsumerConfig{Durable: "D", AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
	MaxAckPending: 10000}

func pullNew(t *T, nc *nats.Conn, deliver func(delivery)) {
	consumer, err := t.new(nc).CreateConsumer(t.context(), "S", durable)
	t.must(err)
	_, err = consumer.Consume(func(msg jetstream.Msg) { deliver(fromNew(msg)) }, jetstream.PullExpiry(4*heartbeat),
		jetstream.PullHeartbeat(heartbeat))
	t.must(err)
}

func pushNew(t *T, nc *nats.Conn, deliver func(delivery)) {
	push := durable
	push.DeliverSubject = nats.NewInbox()
	push.IdleHeartbeat = heartbeat
	push.FlowControl = true
	consumer, err := t.new(nc).CreatePushConsumer(t.context(), "S", push)
	t.must(err)
	_, err = consumer.Consume(func(msg jetstream.Msg) { deliver(fromNew(msg)) })
	t.must(err)
}

func orderedNew(t *T, nc *nats.Conn, deliver func(delivery)) {
	consumer, err := t.new(nc).OrderedConsumer(t.context(), "S", jetstream.OrderedConsumerConfig{})
	t.must(err)
	_, err = consumer.Consume(func(msg jetstream.Msg) { deliver(fromNew(msg)) }, jetstream.PullExpiry(4*heartbeat),
		jetstream.PullHeartbeat(heartbeat))
	t.must(err)
}
