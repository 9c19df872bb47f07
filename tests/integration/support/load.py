"""Clients at work while a test does something to the program."""
import threading

from .waiting import wait_for


class Load:
    """Threads that ask without pause, on kept connections and on new ones, and note what goes wrong.
    `forgiving`: a kept connection may be closed while it is idle, and then the request that was just
    being sent is sent again over a new one, as HTTP clients do (RFC 9112 §9.3.1).
    `stubborn`: a thread whose request failed goes on; others end."""

    def __init__(self, proxy, *, forgiving=False, stubborn=False):
        self.proxy = proxy
        self.forgiving = forgiving
        self.stubborn = stubborn
        self.stopping = threading.Event()
        self.failures = []
        self.answered = 0
        kinds = [self.kept, self.kept, self.kept_tls, self.new, self.new_tls]
        self.threads = [threading.Thread(target=self.run, args=(kind,)) for kind in kinds]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def run(self, kind):
        while True:
            try:
                kind()
            except Exception as failure:  # all of them are what the test is about
                self.failures.append(f"{kind.__name__}: {failure!r}")
            if not self.stubborn or self.stopping.is_set():
                return

    def ask(self, client, number):
        answer = client.get(f"/{number}", host="example.com")
        assert (answer.status, answer.text) == (200, f"/{number}"), answer.head
        self.answered += 1
        return answer.field("Connection") != "close"

    def kept(self, opened=None):
        number = 0
        while not self.stopping.is_set():
            with (opened or self.proxy.client)() as client:
                served = 0
                while not self.stopping.is_set():
                    number += 1
                    try:
                        if not self.ask(client, number):
                            break
                    except (EOFError, ConnectionError):
                        if not self.forgiving or served == 0 or client.pending:
                            raise
                        break
                    served += 1

    def kept_tls(self):
        self.kept(self.proxy.tls_client)

    def new(self, opened=None):
        number = 0
        while not self.stopping.is_set():
            with (opened or self.proxy.client)() as client:
                number += 1
                self.ask(client, number)
            self.stopping.wait(0.001)

    def new_tls(self):
        self.new(self.proxy.tls_client)

    def wait_for_more(self, count):
        wanted = self.answered + count
        wait_for(lambda: self.answered >= wanted or self.failures, f"{count} more answers", within=30)
