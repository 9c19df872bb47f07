"""Clients whose handshakes break the rules, at every point of TLS 1.2 and 1.3.

Each is a real handshake with something changed on its way. It ends in an alert that says what was wrong or
in a plain close; it is counted, leaves no memory behind, and the next client is served.
"""
import itertools
import ssl
import time

import pytest

from support import tls, wait_for
from support.program import SANITIZED
from support.tls import (ALERT, APPLICATION_DATA, CCS, CHANGE_CIPHER_SPEC, HANDSHAKE, LARGEST, VERSIONS,
                         WARNING, Shaker, in_slices, message, orders, record, records)

STRIDE = 11 if SANITIZED else 1  # of tables with a case per byte
REQUEST = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"


@pytest.fixture(scope="module")
def proxy(shared_sallyport):
    return shared_sallyport("""
        error_log stderr info;
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            return 200 "served\\n";
        }
        server {
            listen 127.0.0.1:@port:impatient_https@ ssl;
            client_header_timeout 1s;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            return 200 "served\\n";
        }
    """)


def client_shaker(proxy, version):
    context = proxy.authority.client_context(versions=(VERSIONS[version],) * 2)
    return Shaker(context, name="example.com")


class Outcome:
    def __init__(self, alert, data):
        self.alert = alert  # its name, or None for a plain close
        self.data = data


def send(client, data):
    """A peer that closes in between is no failure: what it said is read later."""
    try:
        client.send(data)
        return True
    except OSError:
        return False


def end_of(client, shaker, *, half_close=True):
    """What comes until the proxy closes; fails when it does not."""
    if half_close:
        try:
            client.half_close()
        except OSError:
            pass
    data = client.receive_all()
    assert b"served" not in data
    return Outcome(shaker.alert(data), data)


class Count:
    """Counts what the proxy must count for the connections of a block: each once, each ended."""

    def __init__(self, proxy):
        self.proxy = proxy

    def now(self):
        counters = self.proxy.status()["counters"]
        handshakes = (counters["handshakes_failed"], counters["handshakes_full"] +
                      counters["handshakes_resumed"])
        return counters["connections_accepted"], counters["connections_closed"], *handshakes

    def __enter__(self):
        self.made = 0
        self.before = self.now()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            def all_counted():
                accepted, closed, failed, done = (
                    now - before for now, before in zip(self.now(), self.before))
                self.failed = failed
                return (accepted, closed, failed + done) == (self.made,) * 3
            wait_for(all_counted, f"{self.made} connections to be counted, before: {self.before}, "
                                  f"now: {self.now()}")


def assert_serves_on(proxy):
    assert proxy.get("/").text == "served\n"


# -- the ClientHello


def hello_of(proxy, version):
    """(shaker, the message) of a fresh ClientHello."""
    shaker = client_shaker(proxy, version)
    (kind, content), = records(shaker.hello())
    assert kind == HANDSHAKE
    return shaker, content


def hostile_hellos():
    """name, what is made of the ClientHello, alerts that may answer it. No alert: a plain close will do."""
    wrong = {"unexpected_message"}
    for kind in range(256):
        if kind != HANDSHAKE:
            # A first record of another kind is not TLS. Alerts and CCS are kinds that might come.
            # Beyond 128 it is the length of an SSL 2 record, which may be too long.
            yield f"record of type {kind}", lambda h, k=kind: record(k, h, 0x0301), wrong | {
                "protocol_version", "decode_error", None, *(["record_overflow"] if kind >= 128 else [])}
        if kind != tls.CLIENT_HELLO:
            yield f"message of type {kind}", lambda h, k=kind: record(HANDSHAKE, message(k, h[4:])), wrong
    yield "twice", lambda h: record(HANDSHAKE, h) * 2, wrong
    yield "twice in a record", lambda h: record(HANDSHAKE, h * 2), wrong
    yield "ten times", lambda h: record(HANDSHAKE, h) * 10, wrong
    yield "CCS before", lambda h: CCS + record(HANDSHAKE, h), wrong
    yield "CCS after", lambda h: record(HANDSHAKE, h) + CCS * 1000, wrong
    yield "a CCS of two bytes after", lambda h: record(HANDSHAKE, h) + record(
        CHANGE_CIPHER_SPEC, b"\1\1"), wrong | {"illegal_parameter", "decode_error"}
    yield "CCS within", lambda h: record(HANDSHAKE, h[:50]) + CCS + record(HANDSHAKE, h[50:]), wrong
    yield "warnings before", lambda h: WARNING * 1000 + record(HANDSHAKE, h), wrong | {None}
    yield "warnings after", lambda h: record(HANDSHAKE, h) + WARNING * 1000, wrong | {
        "decode_error", "illegal_parameter"}
    yield "warnings within", lambda h: record(HANDSHAKE, h[:50]) + WARNING * 1000 + record(
        HANDSHAKE, h[50:]), wrong | {"decode_error", "illegal_parameter"}
    yield "a warning within", lambda h: record(HANDSHAKE, h[:50]) + WARNING + record(
        HANDSHAKE, h[50:]), wrong | {None}
    yield "a fatal alert before", lambda h: record(ALERT, bytes([2, 40])) + record(HANDSHAKE, h), {
        None, "protocol_version", *wrong}
    yield "a fatal alert after", lambda h: record(HANDSHAKE, h) + record(ALERT, bytes([2, 40])), {None}
    yield "close_notify after", lambda h: record(HANDSHAKE, h) + record(ALERT, bytes([1, 0])), {
        None, "close_notify"}
    yield "an alert of no level", lambda h: record(HANDSHAKE, h) + record(ALERT, bytes([9, 40])), {
        "illegal_parameter", None}  # TLS 1.3 has no levels any more: it is fatal by its kind
    yield "an alert of one byte", lambda h: record(HANDSHAKE, h) + record(ALERT, b"\2"), {
        "decode_error", *wrong}
    yield "an alert of three bytes", lambda h: record(HANDSHAKE, h) + record(ALERT, b"\1\0\0"), {
        "decode_error", *wrong}
    yield "data after", lambda h: record(HANDSHAKE, h) + record(APPLICATION_DATA, REQUEST), wrong | {
        "bad_record_mac"}  # TLS 1.3 has the key by then
    yield "data before", lambda h: record(APPLICATION_DATA, REQUEST) + record(HANDSHAKE, h), wrong | {
        None, "protocol_version"}
    yield "data within", lambda h: record(HANDSHAKE, h[:50]) + record(
        APPLICATION_DATA, REQUEST) + record(HANDSHAKE, h[50:]), wrong
    yield "empty records before", lambda h: record(HANDSHAKE, b"") * 1000 + record(HANDSHAKE, h), wrong | {
        None, "decode_error", "illegal_parameter"}
    yield "empty records within", lambda h: record(HANDSHAKE, h[:50]) + record(
        HANDSHAKE, b"") * 1000 + record(HANDSHAKE, h[50:]), wrong | {"decode_error", "illegal_parameter"}
    yield "empty records after", lambda h: record(HANDSHAKE, h) + record(HANDSHAKE, b"") * 1000, wrong | {
        "decode_error", "illegal_parameter"}
    for size in (16385, 16640, 18433, 20000, 65535):
        yield f"a record of {size}", lambda h, s=size: record(HANDSHAKE, h) + record(
            HANDSHAKE, bytes(s)), {"record_overflow", *wrong}  # TLS 1.3 expects no such type by then
        yield f"a first record of {size}", lambda h, s=size: record(
            HANDSHAKE, h + bytes(s - len(h))), {"record_overflow", "unexpected_message"}
    for version in (0x0000, 0x0002, 0x0200, 0x0300, 0x0304, 0x0399, 0x0400, 0xffff):
        yield f"record version {version:04x}", lambda h, v=version: record(HANDSHAKE, h, v), {
            None, "protocol_version"}
    for size in (131397, 2**20, LARGEST):
        yield f"a message of {size}", lambda h, s=size: record(
            HANDSHAKE, message(tls.CLIENT_HELLO, h[4:], size=s)), {"illegal_parameter", "decode_error"}
        yield f"a message of {size}, sent whole", lambda h, s=size: in_slices(HANDSHAKE, message(
            tls.CLIENT_HELLO, h[4:] + bytes(s - len(h) + 4)), 16384), {
                "illegal_parameter", "decode_error", None}  # it may be gone before it can say so
    # Its own lengths lie: it is one byte longer or shorter than its content.
    for more in (-1, 1):
        yield f"a length {more:+}", lambda h, m=more: record(HANDSHAKE, message(
            tls.CLIENT_HELLO, h[4:], size=len(h) - 4 + m)) + record(HANDSHAKE, b"\0" * max(0, m)), {
                "decode_error", "illegal_parameter", *wrong}
    yield "trailing bytes", lambda h: record(HANDSHAKE, message(tls.CLIENT_HELLO, h[4:] + b"\0")), {
        "decode_error"}
    yield "a message of nothing", lambda h: record(HANDSHAKE, message(tls.CLIENT_HELLO, b"")), {
        "decode_error"}


HELLOS = list(hostile_hellos())


def hostile_hello(proxy, version, number):
    _, change, _ = HELLOS[number]
    shaker, hello = hello_of(proxy, version)
    with shaker, proxy.client("https") as client:
        send(client, change(hello))
        return end_of(client, shaker)


@pytest.mark.threads
@pytest.mark.parametrize("version", VERSIONS)
def test_a_hostile_client_hello_ends_in_its_alert(proxy, version):
    problems = []
    with Count(proxy) as count:
        for number in range(len(HELLOS)):
            name, _, allowed = HELLOS[number]
            outcome = hostile_hello(proxy, version, number)
            count.made += 1
            if outcome.alert not in allowed:
                problems.append((name, outcome.alert))
        assert not problems, "\n".join(map(str, problems))
    assert count.failed == count.made
    assert_serves_on(proxy)


# An alert that blames the program itself would mean that it was not prepared for what came.
def assert_no_surprise(outcome, what):
    assert outcome.alert not in ("internal_error", "user_cancelled"), (what, outcome.alert)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_hello_cut_off_anywhere_is_a_plain_close(proxy, version):
    shaker, hello = hello_of(proxy, version)
    whole = record(HANDSHAKE, hello, 0x0301)
    with shaker, Count(proxy) as count:
        for cut in range(0, len(whole), STRIDE):
            with proxy.client("https") as client:
                client.send(whole[:cut])
                client.half_close()
                assert client.receive_all() == b"", cut
            count.made += 1
    assert count.failed == count.made
    assert_serves_on(proxy)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_hello_that_ends_too_early_anywhere_is_refused(proxy, version):
    """The lengths around it are right, those within it are not (but for a few that end between fields)."""
    shaker, hello = hello_of(proxy, version)
    shaker.__exit__()
    outcomes = []
    with Count(proxy) as count:
        for cut in range(0, len(hello) - 4, STRIDE):
            with client_shaker(proxy, version) as shaker, proxy.client("https") as client:
                shaker.hello()
                client.send(record(HANDSHAKE, message(tls.CLIENT_HELLO, hello[4:4 + cut])))
                outcomes.append(end_of(client, shaker))
                assert_no_surprise(outcomes[-1], cut)
            count.made += 1
    assert count.failed == count.made
    refused = sum(outcome.alert in ("decode_error", "illegal_parameter") for outcome in outcomes)
    assert refused >= len(outcomes) - 12, [outcome.alert for outcome in outcomes]
    assert_serves_on(proxy)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("flip", [0x01, 0xff])
def test_any_byte_of_a_client_hello_may_be_another(proxy, version, flip):
    shaker, hello = hello_of(proxy, version)
    shaker.__exit__()
    whole = record(HANDSHAKE, hello, 0x0301)
    with Count(proxy) as count:
        for at in range(0, len(whole), STRIDE):
            with client_shaker(proxy, version) as shaker, proxy.client("https") as client:
                shaker.hello()
                client.send(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1:])
                assert_no_surprise(end_of(client, shaker), at)
            count.made += 1
    assert count.failed == count.made
    assert_serves_on(proxy)


# -- the client's second flight


def reach_flight(proxy, client, shaker):
    """[(kind, content)] of the flight that would end the handshake."""
    client.send(shaker.hello())
    flight = records(shaker.flight(client))
    kinds = [kind for kind, _ in flight]
    assert kinds in ([HANDSHAKE, CHANGE_CIPHER_SPEC, HANDSHAKE], [CHANGE_CIPHER_SPEC, APPLICATION_DATA],
                     [APPLICATION_DATA]), kinds
    return flight


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [1, 7, 16384])
def test_a_handshake_in_small_records_is_a_good_one(proxy, version, size):
    with client_shaker(proxy, version) as shaker, proxy.client("https") as client:
        (_, hello), = records(shaker.hello())
        client.send(in_slices(HANDSHAKE, hello, size))
        flight = records(shaker.flight(client))
        if version == "1.3":
            keys = shaker.keys("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
            read = shaker.keys("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
            kind, finished = read.open(flight[-1][1])
            client.send(b"".join(keys.seal(kind, finished[at:at + size], padding=at % 3)
                                 for at in range(0, len(finished), size)))
        else:
            (_, exchange), (_, ccs), (_, finished) = flight
            client.send(in_slices(HANDSHAKE, exchange, size) + record(CHANGE_CIPHER_SPEC, ccs) +
                        record(HANDSHAKE, finished))
        while not shaker.done:
            shaker.take(client.socket.recv(65536))
        shaker.engine.write(REQUEST)
        client.send(shaker.outgoing.read())
        answer = b""
        while b"served" not in answer:
            shaker.incoming.write(client.socket.recv(65536))
            try:
                answer += shaker.engine.read(65536)
            except ssl.SSLWantReadError:
                pass  # a ticket, or half a record


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["cut", "flip"])
def test_the_second_flight_may_be_cut_or_changed_anywhere(proxy, version, how):
    with Count(proxy) as count:
        finished = []
        at, size = 0, 1
        while at < size:
            with client_shaker(proxy, version) as shaker, proxy.client("https") as client:
                flight = b"".join(record(*one) for one in reach_flight(proxy, client, shaker))
                size = len(flight)
                changed = (flight[:at] if how == "cut" else
                           flight[:at] + bytes([flight[at] ^ 0xff]) + flight[at + 1:])
                client.send(changed)
                outcome = end_of(client, shaker)
                assert_no_surprise(outcome, at)
                if how == "cut":
                    # TLS 1.2 may not have said a word; that it was the last one is nobody's fault.
                    assert outcome.alert in (None, "close_notify"), (at, outcome.alert)
                finished.append((at, outcome.alert))
            count.made += 1
            at += STRIDE
    assert count.failed == count.made, finished
    assert_serves_on(proxy)


def hostile_flights_of_1_2(flight):
    (_, exchange), (_, ccs), (_, finished) = flight
    parts = [record(HANDSHAKE, exchange), record(CHANGE_CIPHER_SPEC, ccs), record(HANDSHAKE, finished)]
    for name, order in orders(parts):
        # Without Finished it is only not complete. A second one is what begins a renegotiation.
        yield name, lambda: b"".join(order), {"unexpected_message", "bad_record_mac", "decode_error", {
            "without 2": None, "1 twice": "internal_error"}.get(name, "bad_record_mac")}
    wrong = {"unexpected_message"}
    # OpenSSL's word for a protected record that is too short to be one.
    too_short = {"bad_record_mac", "internal_error"}
    for kind in range(256):
        if kind != tls.CLIENT_KEY_EXCHANGE:
            yield f"message {kind}", lambda: record(HANDSHAKE, message(kind, exchange[4:])) + b"".join(
                parts[1:]), wrong | ({"decode_error"} if kind in (1, 20) else set())
    yield "data instead", lambda: record(APPLICATION_DATA, REQUEST), wrong
    yield "data after the exchange", lambda: parts[0] + record(APPLICATION_DATA, REQUEST), wrong
    yield "data before Finished", lambda: parts[0] + parts[1] + record(APPLICATION_DATA, REQUEST), {
        "bad_record_mac", "decode_error"}
    yield "CCS of two bytes", lambda: parts[0] + record(CHANGE_CIPHER_SPEC, b"\1\1"), {
        "decode_error", "illegal_parameter", *wrong}
    yield "CCS of 2", lambda: parts[0] + record(CHANGE_CIPHER_SPEC, b"\2"), {
        "illegal_parameter", "decode_error", *wrong}
    yield "a flood of CCS", lambda: parts[0] + CCS * 1000, too_short
    yield "a flood of warnings", lambda: parts[0] + WARNING * 1000, wrong
    yield "a flood of empty records", lambda: parts[0] + record(HANDSHAKE, b"") * 1000, wrong
    yield "a clear Finished", lambda: parts[0] + parts[1] + record(
        HANDSHAKE, message(tls.FINISHED, bytes(12))), too_short
    for size in (2049, 2**20, LARGEST):
        yield f"an exchange of {size}", lambda: in_slices(HANDSHAKE, message(
            tls.CLIENT_KEY_EXCHANGE, bytes(min(size, 100_000)), size=size), 16384), {
                "illegal_parameter", "decode_error", None}
    for size in (0, 1, 32, 64, 66, 255):
        yield f"a point of {size}", lambda: record(HANDSHAKE, message(
            tls.CLIENT_KEY_EXCHANGE, bytes([size]) + bytes(size))) + b"".join(parts[1:]), {
                "decode_error", "illegal_parameter", "bad_record_mac"}
    yield "a point of zeros", lambda: record(HANDSHAKE, message(
        tls.CLIENT_KEY_EXCHANGE, exchange[4:5] + bytes(len(exchange) - 5))) + b"".join(parts[1:]), {
            "illegal_parameter", "decode_error", "bad_record_mac"}


def hostile_flights_of_1_3(flight, shaker):
    kind, finished = shaker.keys("CLIENT_HANDSHAKE_TRAFFIC_SECRET").open(flight[-1][1])
    assert kind == HANDSHAKE and finished[0] == tls.FINISHED
    wrong = {"unexpected_message"}

    def keys():
        return shaker.keys("CLIENT_HANDSHAKE_TRAFFIC_SECRET")

    def all_sealed(of, *items):
        return b"".join(of.seal(*item) for item in items)

    def data_keys():
        return shaker.keys("CLIENT_TRAFFIC_SECRET_0")

    def sealed(content, kind=HANDSHAKE, padding=0):
        return keys().seal(kind, content, padding)

    for kind in range(256):
        if kind != tls.FINISHED:
            yield f"message {kind}", lambda: sealed(message(kind, finished[4:])), wrong | (
                {"decode_error", "illegal_parameter"} if kind in (tls.CERTIFICATE, tls.KEY_UPDATE) else set())
        if kind not in (HANDSHAKE, ALERT):
            yield f"content of type {kind}", lambda: sealed(finished, kind), wrong | {"decode_error"}
    yield "in the clear", lambda: record(HANDSHAKE, finished), wrong | {"bad_record_mac", "decode_error"}
    yield "data before", lambda: sealed(REQUEST, APPLICATION_DATA), wrong
    yield "data before, under its keys", lambda: data_keys().seal(APPLICATION_DATA, REQUEST), {
        "bad_record_mac"}
    yield "data before, in the clear", lambda: record(APPLICATION_DATA, REQUEST), {
        "bad_record_mac", "decode_error"}
    yield "cut in two by data", lambda: all_sealed(
        keys(), (HANDSHAKE, finished[:9]), (APPLICATION_DATA, REQUEST)), wrong
    yield "twice", lambda: all_sealed(keys(), *[(HANDSHAKE, finished)] * 2), {"bad_record_mac"}
    yield "twice in a record", lambda: sealed(finished * 2), wrong
    yield "replayed", lambda: sealed(finished) * 2, {"bad_record_mac"}
    yield "after Finished, the same again", lambda: sealed(finished) + data_keys().seal(
        HANDSHAKE, finished), wrong
    for extra in (tls.CLIENT_HELLO, tls.CERTIFICATE, tls.CERTIFICATE_VERIFY, tls.END_OF_EARLY_DATA,
                  tls.NEW_SESSION_TICKET, tls.ENCRYPTED_EXTENSIONS):
        yield f"after Finished, message {extra}", lambda: sealed(finished) + data_keys().seal(
            HANDSHAKE, message(extra, bytes(64))), wrong
        yield f"message {extra} in the same record", lambda: sealed(message(extra, b"") + finished), wrong | {
            "decode_error", "illegal_parameter"}
    yield "a forged one", lambda: sealed(message(tls.FINISHED, bytes(len(finished) - 4))), {"decrypt_error"}
    for cut in range(len(finished) - 4):
        yield f"cut to {cut}", lambda: sealed(message(tls.FINISHED, finished[4:4 + cut])), {
            "decrypt_error", "decode_error"}
        flipped = bytearray(finished)
        flipped[4 + cut] ^= 1
        yield f"another byte {cut}", lambda: sealed(bytes(flipped)), {"decrypt_error"}
    yield "a longer one", lambda: sealed(message(tls.FINISHED, finished[4:] + b"\0")), {
        "decrypt_error", "decode_error"}
    for size in (65, 2**16, LARGEST):
        yield f"of {size}", lambda: all_sealed(keys(), (HANDSHAKE, message(
            tls.FINISHED, bytes(16000), size=size)), *[(HANDSHAKE, bytes(16000))] * 7), {
                "illegal_parameter", "decode_error", "decrypt_error", *wrong, None}
    yield "of no content", lambda: sealed(b""), wrong | {"decode_error"}
    yield "a flood of no content", lambda: all_sealed(keys(), *[(HANDSHAKE, b"")] * 100), wrong
    yield "nothing but padding", lambda: record(APPLICATION_DATA, b"") + sealed(b"", 0, 100), wrong | {
        "bad_record_mac", "decode_error"}
    yield "a record of zeros", lambda: sealed(b"", 0, 1000), wrong
    yield "a record too short", lambda: record(APPLICATION_DATA, bytes(16)), wrong | {
        "bad_record_mac", "decode_error"}
    yield "a record too long", lambda: record(APPLICATION_DATA, bytes(16641)), {"record_overflow"}
    yield "a record whose content is too long", lambda: sealed(bytes(16385)), {"record_overflow"}
    yield "a record of 65535", lambda: record(APPLICATION_DATA, bytes(65535)), {"record_overflow"}
    yield "a flood of CCS", lambda: CCS * 1000, wrong
    yield "CCS of 2", lambda: record(CHANGE_CIPHER_SPEC, b"\2"), wrong | {"illegal_parameter", "decode_error"}
    yield "a protected CCS", lambda: sealed(b"\1", CHANGE_CIPHER_SPEC), wrong
    yield "a flood of warnings", lambda: all_sealed(
        keys(), *[(ALERT, bytes([1, 90]))] * 100), wrong | {"decode_error"}
    yield "an alert in two", lambda: sealed(b"\1", ALERT), {"decode_error", *wrong}
    yield "a flood of clear warnings", lambda: WARNING * 1000, wrong | {"bad_record_mac", "decode_error"}
    done = sealed(finished)
    yield "after it, many updates in a record", lambda: done + data_keys().seal(
        HANDSHAKE, message(tls.KEY_UPDATE, b"\0") * 1000), wrong
    yield "after it, an update to nothing", lambda: done + data_keys().seal(
        HANDSHAKE, message(tls.KEY_UPDATE, b"\2")), {"illegal_parameter", "decode_error"}
    yield "after it, a flood of no content", lambda: done + all_sealed(
        data_keys(), *[(APPLICATION_DATA, b"")] * 1000), wrong
    yield "after it, a ClientHello", lambda: done + record(HANDSHAKE, message(
        tls.CLIENT_HELLO, bytes(60))), wrong | {"bad_record_mac", "decode_error"}
    yield "after it, CCS", lambda: done + CCS, wrong


def hostile_flights(proxy, version):
    """(number of cases, a function that plays one): each has a handshake, and so a table, of its own."""
    def table(client, shaker):
        flight = reach_flight(proxy, client, shaker)
        return (hostile_flights_of_1_2(flight) if version == "1.2" else
                hostile_flights_of_1_3(flight, shaker))

    def play(number):
        with client_shaker(proxy, version) as shaker, proxy.client("https") as client:
            name, data, allowed = next(itertools.islice(table(client, shaker), number, None))
            send(client, data())
            return name, end_of(client, shaker), allowed

    with client_shaker(proxy, version) as shaker, proxy.client("https") as client:
        count = sum(1 for _ in table(client, shaker))
        client.half_close()
        client.receive_all()
    return count, play


@pytest.mark.threads
@pytest.mark.parametrize("version", VERSIONS)
def test_a_hostile_second_flight_ends_in_its_alert(proxy, version):
    with Count(proxy) as count:
        cases, play = hostile_flights(proxy, version)
        count.made = 1
        problems = []
        for number in range(0, cases, max(1, STRIDE // 3)):
            name, outcome, allowed = play(number)
            count.made += 1
            if outcome.alert not in allowed:
                problems.append((name, outcome.alert))
        assert not problems, "\n".join(map(str, problems))
    assert_serves_on(proxy)


# -- what never ends by itself, and what it costs


def test_a_handshake_that_stands_still_ends_at_its_time(proxy):
    """Cut off at many points, with nothing to tell the proxy that no more will come."""
    limit = proxy.status()["counters"]["limit_handshake_time"]
    with Count(proxy) as count:
        waiting = []
        begun = time.monotonic()
        for version in VERSIONS:
            for parts in range(1, 12):
                client, shaker = proxy.client("impatient_https"), client_shaker(proxy, version)
                hello = shaker.hello()
                if parts <= 6:
                    client.send(hello[:len(hello) * parts // 7])
                else:
                    client.send(hello)
                    flight = shaker.flight(client)
                    client.send(flight[:len(flight) * (parts - 7) // 5])
                waiting.append((client, shaker))
                count.made += 1
        for client, shaker in waiting:
            with client, shaker:
                assert end_of(client, shaker, half_close=False).alert in (None, "close_notify")
        assert time.monotonic() - begun >= 1
    assert count.failed == count.made
    assert proxy.status()["counters"]["limit_handshake_time"] == limit + count.made
    assert_serves_on(proxy)


def test_a_drip_does_not_lengthen_a_handshake(proxy):
    """A byte now and then: the time is the handshake's, not the byte's. Empty records are no progress."""
    shaker, hello = hello_of(proxy, "1.3")
    with shaker, Count(proxy) as count, proxy.client("impatient_https") as client:
        client.socket.settimeout(0.05)
        sent = 0
        for at in range(len(hello)):
            if not send(client, in_slices(HANDSHAKE, hello[at:at + 1], 1)):
                break
            sent = at
            try:
                if client.socket.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        assert sent < len(hello) - 1
        count.made += 1
    assert_serves_on(proxy)


def hold_many(proxy, count=60):
    """Many clients that each announce the largest ClientHello there may be and send nearly all of it."""
    held = []
    for _ in range(count):
        client = proxy.client("https")
        announced = message(tls.CLIENT_HELLO, b"\3\3" + bytes(120_000), size=131_000)
        client.send(in_slices(HANDSHAKE, announced, 16384))
        held.append(client)
    return held


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory back")
def test_memory_is_flat(proxy):
    flights = [hostile_flights(proxy, version) for version in VERSIONS]

    def round_of_all():
        for version in VERSIONS:
            for number in range(0, len(HELLOS), 5):
                hostile_hello(proxy, version, number)
        for count, play in flights:
            for number in range(0, count, 7):
                play(number)
        held = hold_many(proxy)
        wait_for(lambda: proxy.status()["counters"]["connections_active"] == len(held), "all to be open")
        most = proxy.memory()
        for client in held:
            client.reset()
        wait_for(lambda: proxy.status()["counters"]["connections_active"] == 0, "all to be closed")
        return most

    # What is freed may stay with the allocator: what counts is that the peak does not rise. The later
    # rounds have some 1,600 connections; one that left its SSL behind would cost 10 kB or more.
    before = max(round_of_all() for _ in range(4))
    after = max(round_of_all() for _ in range(4))
    print(f"\nresident with 60 huge hellos held: {before} kB at most, later {after} kB")
    assert after - before < 4_000
    assert_serves_on(proxy)
