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
	return tests
}
