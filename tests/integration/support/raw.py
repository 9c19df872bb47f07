"""What hostile tests say and how they listen: bytes in slices, and every response of a connection."""
from .client import Response


def send_sliced(client, data, size):
    """Sends `size` bytes at a time. A peer that answers and leaves in between is no failure."""
    try:
        for start in range(0, len(data), size):
            client.send(data[start:start + size])
    except OSError:
        pass


def responses(data, methods=()):
    """Takes the bytes of a whole connection apart: every response, 1xx included, and what is left.

    `methods` are those of the requests in their order (a HEAD has no body). What is left is b"" when
    the connection ended where a response does.
    """
    found = []
    methods = list(methods)
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        response = Response(head, b"")
        response.whole = True
        found.append(response)
        if response.status < 200:
            continue
        method = methods.pop(0) if methods else "GET"
        if method == "HEAD" or response.status in (204, 304):
            continue
        data = _take_body(response, data)
    return found, data


def _take_body(response, data):
    if (response.field("Transfer-Encoding") or "").lower() == "chunked":
        while True:
            size, found, rest = data.partition(b"\r\n")
            count = int(size, 16) if found else -1
            if not found or len(rest) < count + 2:
                response.whole = False
                return b""
            response.body += rest[:count]
            if count == 0:
                _, _, rest = (b"\r\n" + rest).partition(b"\r\n\r\n")
                return rest
            data = rest[count + 2:]
    length = response.field("Content-Length")
    count = int(length) if length is not None else len(data)
    response.whole = len(data) >= count
    response.body, data = data[:count], data[count:]
    return data
