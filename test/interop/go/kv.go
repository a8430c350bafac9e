// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// Key-value buckets: concurrent updates, watchers, history, expiry, through a restart.
package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func (t *T) bucket(s *Server, config jetstream.KeyValueConfig) jetstream.KeyValue {
	config.Bucket = "B"
	kv, err := t.new(t.lasting(s)).CreateKeyValue(t.context(), config)
	t.must(err)
	return kv
}

// increment counts the key up by one with the revision that it read, until nobody else was faster.
func increment(ctx context.Context, kv jetstream.KeyValue) error {
	for {
		entry, err := kv.Get(ctx, "count")
		if err != nil {
			return err
		}
		value, err := strconv.Atoi(string(entry.Value()))
		if err != nil {
			return err
		}
		_, err = kv.Update(ctx, "count", []byte(strconv.Itoa(value+1)), entry.Revision())
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
	}
}

func kvConcurrentUpdates(t *T) {
	const clients, times = 8, 40
	s := t.streaming()
	kv := t.bucket(s, jetstream.KeyValueConfig{History: 10})
	_, err := kv.Create(t.context(), "count", []byte("0"))
	t.must(err)
	watcher, err := kv.Watch(t.context(), "count")
	t.must(err)
	ends := make(chan error, clients)
	for range clients {
		own, err := t.new(t.client(s)).KeyValue(t.context(), "B")
		t.must(err)
		go func() {
			for range times {
				if err := increment(t.context(), own); err != nil {
					ends <- err
					return
				}
			}
			ends <- nil
		}()
	}
	for range clients {
		t.must(<-ends)
	}
	for want := 0; want <= clients*times; {
		entry := t.update(watcher)
		if entry == nil {
			continue // the end of what was there already
		}
		t.check(string(entry.Value()) == strconv.Itoa(want), "watched %s, not %d", entry.Value(), want)
		want++
	}
	history, err := kv.History(t.context(), "count")
	t.must(err)
	t.check(len(history) == 10, "%d entries of history", len(history))
	for i, entry := range history {
		t.check(string(entry.Value()) == strconv.Itoa(clients*times-9+i), "history %d is %s", i, entry.Value())
	}
}

func (t *T) update(watcher jetstream.KeyWatcher) jetstream.KeyValueEntry {
	select {
	case entry := <-watcher.Updates():
		return entry
	case <-time.After(patience):
		t.check(false, "waited in vain for the watcher")
		return nil
	}
}

func kvWatchThroughRestarts(t *T) {
	s := t.streaming()
	kv := t.bucket(s, jetstream.KeyValueConfig{History: 64})
	watcher, err := kv.WatchAll(t.context())
	t.must(err)
	t.check(t.update(watcher) == nil, "the bucket was not empty")
	last := map[string]uint64{}
	for round, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		for i := range 50 {
			key := "k" + strconv.Itoa(i%20)
			last[key], err = kv.PutString(t.context(), key, strconv.Itoa(round*50+i))
			t.must(err)
		}
		t.must(kv.Delete(t.context(), "k0"))
		s.stop(signal)
		s.start(s.port)
	}
	for seen := 0; seen < 3*51; seen++ {
		entry := t.update(watcher)
		t.check(entry != nil && entry.Revision() == uint64(seen+1), "watched %v, not revision %d", entry, seen+1)
	}
	keys, err := kv.Keys(t.context())
	t.must(err)
	t.check(len(keys) == 19, "keys are %v", keys)
	_, err = kv.Get(t.context(), "k0")
	t.check(errors.Is(err, jetstream.ErrKeyNotFound), "k0 was deleted: %v", err)
	entry, err := kv.Get(t.context(), "k7")
	t.must(err)
	t.check(entry.Revision() == last["k7"] && string(entry.Value()) == "147", "k7 is %s at %d", entry.Value(),
		entry.Revision())
}

// kvUpdatesThroughRestarts: a confirmed update has happened once, one that was cut off once or not at all.
func kvUpdatesThroughRestarts(t *T) {
	const clients, goal = 8, 600
	s, ctx := t.streaming(), t.context()
	kv := t.bucket(s, jetstream.KeyValueConfig{History: 64})
	_, err := kv.Create(ctx, "count", []byte("0"))
	t.must(err)
	var confirmed, unclear atomic.Int64
	var workers sync.WaitGroup
	for range clients {
		own, err := t.new(t.lasting(s)).KeyValue(ctx, "B")
		t.must(err)
		workers.Go(func() {
			for confirmed.Load() < goal && ctx.Err() == nil {
				once, cancel := context.WithTimeout(ctx, confirm)
				if increment(once, own) == nil {
					confirmed.Add(1)
				} else {
					unclear.Add(1)
				}
				cancel()
			}
		})
	}
	for part, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGKILL} {
		t.until("the counting to go on", func() bool { return confirmed.Load() >= int64(part+1)*goal/4 })
		s.stop(signal)
		s.start(s.port)
	}
	workers.Wait()
	history, err := kv.History(ctx, "count")
	t.must(err)
	t.check(len(history) == 64, "%d entries of history", len(history))
	last, err := strconv.Atoi(string(history[63].Value()))
	t.must(err)
	for i, entry := range history {
		t.check(string(entry.Value()) == strconv.Itoa(last-63+i), "history %d is %s", i, entry.Value())
	}
	t.check(confirmed.Load() <= int64(last) && int64(last) <= confirmed.Load()+unclear.Load(),
		"counted to %d with %d confirmed and %d unclear", last, confirmed.Load(), unclear.Load())
}

func kvExpiry(t *T) {
	s := t.streaming()
	kv := t.bucket(s, jetstream.KeyValueConfig{TTL: time.Second})
	_, err := kv.PutString(t.context(), "brief", "x")
	t.must(err)
	t.until("the key to expire", func() bool {
		_, err := kv.Get(t.context(), "brief")
		return errors.Is(err, jetstream.ErrKeyNotFound)
	})
}

// kvKeyExpiry: a key with a time of its own, and the marker that tells a watcher that it has gone.
func kvKeyExpiry(t *T) {
	s := t.streaming()
	kv := t.bucket(s, jetstream.KeyValueConfig{LimitMarkerTTL: time.Minute})
	watcher, err := kv.WatchAll(t.context())
	t.must(err)
	t.check(t.update(watcher) == nil, "the bucket was not empty")
	_, err = kv.Create(t.context(), "brief", []byte("x"), jetstream.KeyTTL(time.Second))
	t.must(err)
	_, err = kv.Create(t.context(), "lasting", []byte("y"))
	t.must(err)
	for _, want := range []jetstream.KeyValueOp{jetstream.KeyValuePut, jetstream.KeyValuePut, jetstream.KeyValuePurge} {
		entry := t.update(watcher)
		t.check(entry != nil && entry.Operation() == want, "watched %v, not %v", entry, want)
	}
	_, err = kv.Get(t.context(), "brief")
	t.check(errors.Is(err, jetstream.ErrKeyNotFound), "brief has expired: %v", err)
	_, err = kv.Get(t.context(), "lasting")
	t.must(err)
}

func kvManyBuckets(t *T) {
	js := t.new(t.client(t.streaming()))
	var all sync.WaitGroup
	failures := make(chan error, 50)
	for i := range 50 {
		all.Go(func() {
			kv, err := js.CreateKeyValue(t.context(), jetstream.KeyValueConfig{Bucket: "b" + strconv.Itoa(i)})
			if err == nil {
				_, err = kv.PutString(t.context(), "a.b", "c")
			}
			failures <- err
		})
	}
	all.Wait()
	for range 50 {
		t.must(<-failures)
	}
	count := 0
	for status := range js.KeyValueStores(t.context()).Status() {
		t.check(status.Values() == 1, "%s has %d values", status.Bucket(), status.Values())
		count++
	}
	t.check(count == 50, "%d buckets", count)
}
