"""websockets' sans-I/O protocols, as strict as they are but for one thing that RFC 6455 allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.frames import CLOSE
from websockets.protocol import Protocol
from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from websockets.frames import Frame


class _CloseAnywhere(Protocol):
    """A Close may come between the fragments of a message, which is then given up (RFC 6455 §5.4).

    websockets answers it with 1002 instead of the code that it was sent.
    """

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class Client(_CloseAnywhere, ClientProtocol):
    """Our end of the model's socket."""


class Server(_CloseAnywhere, ServerProtocol):
    """Our end of the phone's socket."""
