// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

package main

import "syscall"

// jetStreamTests are those that need a server with JetStream.
func jetStreamTests() []named {
	var tests []named
	for _, w := range ways {
		tests = append(tests, named{"read all: " + w.name, readAll(w)},
			named{"restarts: " + w.name, restarts(w, syscall.SIGTERM)},
			named{"kills: " + w.name, restarts(w, syscall.SIGKILL)})
	}
	return append(tests, []named{
		{"work queue", workQueue()},
		{"work queue: restarts", workQueue(syscall.SIGTERM, syscall.SIGTERM)},
		{"work queue: kills", workQueue(syscall.SIGKILL, syscall.SIGKILL)},
		{"kv: concurrent updates, watch, history", kvConcurrentUpdates},
		{"kv: watch through restarts", kvWatchThroughRestarts},
		{"kv: updates through restarts", kvUpdatesThroughRestarts},
		{"kv: expiry of a bucket", kvExpiry},
		{"kv: expiry of a key", kvKeyExpiry},
		{"kv: many buckets", kvManyBuckets},
		{"object: restart", largeObject(syscall.SIGTERM)},
		{"object: kill", largeObject(syscall.SIGKILL)},
	}...)
}
