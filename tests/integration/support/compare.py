"""One configuration under nginx and under Sallyport, and what both make of a request."""


class Pair:
    """The two programs over one text, ours with "compat nginx;". `place`, the same open folder for both,
    is where files for them are: `pair.write("html/a.txt", "a")`, and @place@ in the text."""

    def __init__(self, start_ours, start_nginx, text, place, *, main="", **values):
        self.place = place
        self.nginx = start_nginx(text, main=main, place=place, **values)
        self.ours = start_ours(text, main="compat nginx; " + main, place=place, **values)

    def ask(self, target, **options):
        """Ours, after it was found to be what nginx says: status, text and what tells the way on."""
        ours, theirs = (seen(program, target, **options) for program in (self.ours, self.nginx))
        assert ours == theirs, f"{target}: ours is {ours}, nginx's {theirs}"
        return ours


def seen(program, target, *, method="GET", host="example.com", fields=(), body=None,
         shown=("Location", "Content-Type", "WWW-Authenticate")):
    """Ports are different in both programs, and the name below an error's page is another."""
    with program.client() as client:
        answer = client.request(method, target, host=host, fields=fields, body=body)
    port = str(program.port("http"))
    text = answer.text.replace(port, "PORT")
    if "<center>" in text:
        text = text[:text.rindex("<hr>")]
    return (answer.status, text, *(value and value.replace(port, "PORT")
                                   for value in (answer.field(name) for name in shown)))
