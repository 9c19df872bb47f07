"""What the integration tests are written with. README.md beside conftest.py says how."""
from .backend import Backend, Request
from .certificates import Authority
from .client import Client, Response, curl
from .nameserver import NameServer
from .ports import reserve_port
from .program import Nginx, ProgramFailed, Sallyport
from .waiting import seconds, wait_for

__all__ = [
    "Authority", "Backend", "Client", "NameServer", "Nginx", "ProgramFailed", "Request", "Response",
    "Sallyport", "curl", "reserve_port", "seconds", "wait_for",
]
