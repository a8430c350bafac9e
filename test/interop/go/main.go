// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

// The official Go client doing real work: interop SERVER [part of a name]
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

var binary string

func (t *T) client(s *Server, options ...nats.Option) *nats.Conn {
	nc, err := nats.Connect(s.url(), append([]nats.Option{nats.Timeout(patience)}, options...)...)
	t.must(err)
	t.cleanup(nc.Close)
	return nc
}

func (t *T) refused(s *Server, options ...nats.Option) {
	nc, err := nats.Connect(s.url(), options...)
	if err == nil {
		nc.Close()
	}
	t.check(errors.Is(err, nats.ErrAuthorization), "should have been refused: %v", err)
}

func (t *T) subscribe(nc *nats.Conn, subject string) *nats.Subscription {
	sub, err := nc.SubscribeSync(subject)
	t.must(err)
	t.must(nc.FlushTimeout(patience))
	return sub
}

func (t *T) take(sub *nats.Subscription) *nats.Msg {
	msg, err := sub.NextMsg(patience)
	t.must(err)
	return msg
}

func (t *T) await(what string, c <-chan struct{}) {
	select {
	case <-c:
	case <-time.After(patience):
		t.check(false, "waited in vain for %s", what)
	}
}

func publishAndSubscribe(t *T) {
	s := t.server("")
	a, b := t.client(s, nats.Name("a")), t.client(s)
	sub := t.subscribe(b, "greet")
	t.must(a.Publish("greet", []byte("one")))
	t.must(a.PublishRequest("greet", "back", []byte("two")))
	t.must(a.Publish("greet", nil))
	for _, want := range []string{"one/", "two/back", "/"} {
		msg := t.take(sub)
		t.check(string(msg.Data)+"/"+msg.Reply == want, "got %q %q", msg.Data, msg.Reply)
	}
	rtt, err := a.RTT()
	t.check(err == nil && rtt > 0, "RTT %v %v", rtt, err)
	id, err := a.GetClientID()
	t.check(err == nil && id > 0, "client id %v %v", id, err)
	ip, err := a.GetClientIP()
	t.check(err == nil && ip.IsLoopback(), "client ip %v %v", ip, err)
}

func wildcards(t *T) {
	nc := t.client(t.server(""))
	star, tail := t.subscribe(nc, "a.*.c"), t.subscribe(nc, "a.>")
	for _, subject := range []string{"a.b.c", "a.x.c", "a.b", "a.b.c.d", "b.b.c"} {
		t.must(nc.Publish(subject, nil))
	}
	t.must(nc.Flush())
	for _, want := range []string{"a.b.c", "a.x.c"} {
		t.check(t.take(star).Subject == want, "star did not get %s", want)
	}
	for _, want := range []string{"a.b.c", "a.x.c", "a.b", "a.b.c.d"} {
		t.check(t.take(tail).Subject == want, "tail did not get %s", want)
	}
	rest, _, _ := tail.Pending()
	t.check(rest == 0, "too many messages")
}

func queueGroupsShareTheWork(t *T) {
	s := t.server("")
	var counts [3]atomic.Int64
	for i := range counts {
		nc := t.client(s)
		_, err := nc.QueueSubscribe("work", "q", func(*nats.Msg) { counts[i].Add(1) })
		t.must(err)
		t.must(nc.Flush())
	}
	p := t.client(s)
	for range 300 {
		t.must(p.Publish("work", nil))
	}
	total := func() int64 { return counts[0].Load() + counts[1].Load() + counts[2].Load() }
	t.until("300 messages", func() bool { return total() >= 300 })
	t.must(p.Flush())
	t.check(total() == 300, "%d messages", total())
	for i := range counts {
		t.check(counts[i].Load() > 30, "uneven")
	}
}

func requestAndReply(t *T) {
	s := t.server("")
	a, b := t.client(s), t.client(s)
	_, err := b.Subscribe("double", func(msg *nats.Msg) { msg.Respond(append(msg.Data, msg.Data...)) })
	t.must(err)
	t.must(b.Flush())
	answers := make(chan error, 100)
	for i := range 100 {
		go func() {
			msg, err := a.Request("double", fmt.Appendf(nil, "%d.", i), patience)
			if err == nil && string(msg.Data) != fmt.Sprintf("%d.%d.", i, i) {
				err = fmt.Errorf("request %d got %q", i, msg.Data)
			}
			answers <- err
		}()
	}
	for range 100 {
		t.must(<-answers)
	}
	old := t.client(s, nats.UseOldRequestStyle())
	msg, err := old.Request("double", []byte("x"), patience)
	t.check(err == nil && string(msg.Data) == "xx", "old style: %v", err)
}

func requestToManyResponders(t *T) {
	s := t.server("")
	for i := range 5 {
		nc := t.client(s)
		_, err := nc.Subscribe("who", func(msg *nats.Msg) { msg.Respond(fmt.Append(nil, i)) })
		t.must(err)
		t.must(nc.Flush())
	}
	a := t.client(s)
	inbox := a.NewRespInbox()
	sub := t.subscribe(a, inbox)
	t.must(a.PublishRequest("who", inbox, nil))
	var got []string
	for range 5 {
		got = append(got, string(t.take(sub).Data))
	}
	sort.Strings(got)
	t.check(strings.Join(got, "") == "01234", "got %v", got)
}

func headers(t *T) {
	nc := t.client(t.server(""))
	sub := t.subscribe(nc, "h")
	sent := nats.NewMsg("h")
	sent.Data = []byte("body")
	sent.Header.Add("Trace", "1")
	sent.Header.Add("Trace", "2")
	sent.Header.Set("Unicode", "später")
	t.must(nc.PublishMsg(sent))
	msg := t.take(sub)
	t.check(strings.Join(msg.Header.Values("Trace"), ",") == "1,2", "headers %v", msg.Header)
	t.check(msg.Header.Get("Unicode") == "später" && string(msg.Data) == "body", "headers %v", msg.Header)
}

func noResponders(t *T) {
	nc := t.client(t.server(""))
	_, err := nc.Request("nobody", nil, patience)
	t.check(errors.Is(err, nats.ErrNoResponders), "%v", err)
}

func drainDeliversWhatIsThere(t *T) {
	s := t.server("")
	closed := make(chan struct{})
	a, b := t.client(s), t.client(s, nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	var count atomic.Int64
	_, err := b.Subscribe("d", func(*nats.Msg) { count.Add(1) })
	t.must(err)
	t.must(b.Flush())
	for range 1000 {
		t.must(a.Publish("d", nil))
	}
	t.must(a.Flush())
	t.must(b.Drain())
	t.await("the drained connection's end", closed)
	t.check(count.Load() == 1000, "%d messages", count.Load())
}

func unsubscribeAfterAMaximum(t *T) {
	s := t.server("")
	nc := t.client(s)
	sub := t.subscribe(nc, "m")
	t.must(sub.AutoUnsubscribe(3))
	for range 10 {
		t.must(nc.Publish("m", nil))
	}
	t.must(nc.Flush())
	for range 3 {
		t.take(sub)
	}
	_, err := sub.NextMsg(patience)
	t.check(errors.Is(err, nats.ErrMaxMessages), "%v", err)
	t.check(s.subscriptions() == 0, "the server still has it")
}

func reconnectAfterARestart(t *T) {
	s := t.server("")
	again := make(chan struct{})
	nc := t.client(s, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ReconnectHandler(func(*nats.Conn) { close(again) }))
	sub := t.subscribe(nc, "again.*")
	t.must(nc.Publish("again.1", nil))
	t.must(nc.Flush())
	s.stop(syscall.SIGKILL)
	s.start(s.port)
	t.await("the reconnection", again)
	t.must(nc.Publish("again.2", nil))
	for _, want := range []string{"again.1", "again.2"} {
		t.check(t.take(sub).Subject == want, "did not get %s", want)
	}
}

func lameDuckModeIsAnnounced(t *T) {
	s := t.server("")
	told := make(chan struct{})
	t.client(s, nats.NoReconnect(), nats.LameDuckModeHandler(func(*nats.Conn) { close(told) }))
	s.signal(syscall.SIGUSR2)
	t.await("the announcement", told)
}

func userAndPassword(t *T) {
	s := t.server(`authorization { user: derek, password: "päss wort" }`)
	t.must(t.client(s, nats.UserInfo("derek", "päss wort")).Flush())
	t.refused(s, nats.UserInfo("derek", "no"))
	t.refused(s)
}

func token(t *T) {
	s := t.server("authorization { token: s3cret }")
	t.must(t.client(s, nats.Token("s3cret")).Flush())
	t.refused(s, nats.Token("guess"))
}

func nkey(t *T) {
	option := func() (string, nats.Option) {
		user, err := nkeys.CreateUser()
		t.must(err)
		public, err := user.PublicKey()
		t.must(err)
		return public, nats.Nkey(public, user.Sign)
	}
	public, known := option()
	_, stranger := option()
	s := t.server("authorization { users: [ { nkey: " + public + " } ] }")
	t.must(t.client(s, known).Flush())
	t.refused(s, stranger)
}

func permissions(t *T) {
	s := t.server(`authorization { users: [ { user: a, password: p, permissions: {
		publish: [ "ok", "_INBOX.>" ], subscribe: { allow: ">", deny: "no.>" } } } ] }`)
	told := make(chan error, 10)
	nc := t.client(s, nats.UserInfo("a", "p"), nats.ErrorHandler(
		func(_ *nats.Conn, _ *nats.Subscription, err error) { told <- err }))
	next := func(want string) {
		select {
		case err := <-told:
			t.check(errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), want), "%v", err)
		case <-time.After(patience):
			t.check(false, "not told: %s", want)
		}
	}
	t.must(nc.Publish("forbidden", nil))
	next(`Permissions Violation for Publish to "forbidden"`)
	t.subscribe(nc, "no.thing")
	next(`Permissions Violation for Subscription to "no.thing"`)
	sub := t.subscribe(nc, "ok")
	t.must(nc.Publish("ok", nil))
	t.take(sub)
}

func tls(t *T) {
	folder := t.certificates()
	authority := nats.RootCAs(folder + "/ca.pem")
	block := fmt.Sprintf(`tls { cert_file: "%s/server.pem", key_file: "%s/server.key"`, folder, folder)
	exchange := func(nc *nats.Conn) {
		sub := t.subscribe(nc, "secret")
		t.must(nc.Publish("secret", bytes.Repeat([]byte("x"), 300000)))
		t.check(len(t.take(sub).Data) == 300000, "wrong payload")
		t.check(nc.TLSRequired(), "not encrypted")
	}
	plain := t.server(block + " }")
	exchange(t.client(plain, authority))
	_, err := nats.Connect(plain.url(), nats.Secure())
	t.check(err != nil, "an unknown authority was trusted")
	verify := t.server(block + fmt.Sprintf(`, ca_file: "%s/ca.pem", verify: true }`, folder))
	exchange(t.client(verify, authority, nats.ClientCert(folder+"/client.pem", folder+"/client.key")))
	_, err = nats.Connect(verify.url(), authority)
	t.check(err != nil, "no client certificate was needed")
	first := t.server(block + ", handshake_first: true }")
	exchange(t.client(first, authority, nats.TLSHandshakeFirst()))
}

func slowConsumerClientIsTold(t *T) {
	told := make(chan struct{}, 10)
	nc := t.client(t.server(""), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrSlowConsumer) {
			told <- struct{}{}
		}
	}))
	sub := t.subscribe(nc, "flood")
	t.must(sub.SetPendingLimits(10, -1))
	for range 1000 {
		t.must(nc.Publish("flood", nil))
	}
	t.must(nc.Flush())
	t.await("the error", told)
	t.must(nc.Flush())
}

func slowConsumerThatNeverReads(t *T) {
	s := t.server("max_pending: 4MB")
	raw, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	t.must(err)
	defer raw.Close()
	_, err = raw.Write([]byte("CONNECT {\"verbose\":false}\r\nSUB flood 1\r\n"))
	t.must(err)
	t.until("its subscription", func() bool { return s.subscriptions() == 1 })
	a, b := t.client(s), t.client(s)
	sub := t.subscribe(b, "flood")
	payload := make([]byte, 200000)
	for range 200 {
		t.must(a.Publish("flood", payload))
		t.must(a.Flush())
	}
	for range 200 {
		t.take(sub)
	}
	t.until("the slow consumer's end", func() bool {
		var varz struct {
			SlowConsumers int `json:"slow_consumers"`
		}
		s.get("/varz", &varz)
		return varz.SlowConsumers == 1
	})
}

func payloadsOf1MB(t *T) {
	nc := t.client(t.server(""))
	sub := t.subscribe(nc, "big")
	payload := make([]byte, 1<<20)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	for range 3 {
		t.must(nc.Publish("big", payload))
	}
	for range 3 {
		t.check(bytes.Equal(t.take(sub).Data, payload), "wrong payload")
	}
	err := nc.Publish("big", append(payload, 0))
	t.check(errors.Is(err, nats.ErrMaxPayload), "max_payload was not known: %v", err)
}

func tenThousandSubscriptions(t *T) {
	s := t.server("")
	nc, p := t.client(s), t.client(s)
	var count atomic.Int64
	subs := make([]*nats.Subscription, 10000)
	for i := range subs {
		sub, err := nc.Subscribe(fmt.Sprintf("many.%d", i), func(*nats.Msg) { count.Add(1) })
		t.must(err)
		subs[i] = sub
	}
	t.must(nc.Flush())
	t.check(s.subscriptions() == 10000, "%d subscriptions", s.subscriptions())
	for i := range subs {
		t.must(p.Publish(fmt.Sprintf("many.%d", i), nil))
	}
	t.must(p.Flush())
	t.until("10,000 messages", func() bool { return count.Load() == 10000 })
	for _, sub := range subs {
		t.must(sub.Unsubscribe())
	}
	t.must(nc.Flush())
	t.check(s.subscriptions() == 0, "%d subscriptions left", s.subscriptions())
}

type named struct {
	name string
	run  func(*T)
}

var tests = []named{
	{"publish and subscribe", publishAndSubscribe},
	{"wildcards", wildcards},
	{"queue groups share the work", queueGroupsShareTheWork},
	{"request and reply", requestAndReply},
	{"request to many responders", requestToManyResponders},
	{"headers", headers},
	{"no responders", noResponders},
	{"drain delivers what is there", drainDeliversWhatIsThere},
	{"unsubscribe after a maximum", unsubscribeAfterAMaximum},
	{"reconnect after a restart", reconnectAfterARestart},
	{"lame duck mode is announced", lameDuckModeIsAnnounced},
	{"user and password", userAndPassword},
	{"token", token},
	{"nkey", nkey},
	{"permissions", permissions},
	{"tls", tls},
	{"slow consumer: the client is told", slowConsumerClientIsTold},
	{"slow consumer: one that never reads is cut off, nobody else", slowConsumerThatNeverReads},
	{"payloads of 1 MB", payloadsOf1MB},
	{"10,000 subscriptions", tenThousandSubscriptions},
}

func main() {
	binary = os.Args[1]
	part := strings.Join(os.Args[2:], " ")
	passed, failed := 0, 0
	for _, test := range append(tests, jetStreamTests()...) {
		if !strings.Contains(test.name, part) {
			continue
		}
		if wrong := (&T{}).run(test.run); wrong != "" {
			failed++
			fmt.Printf("not ok - %s\n    %s\n", test.name, wrong)
		} else {
			passed++
			fmt.Printf("ok - %s\n", test.name)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
