"""google.pubsub.v1.Publisher and .Subscriber over gRPC, as the official clients call them."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from downwind.local.pubsub.wire import Rejected, message_class, unsupported

Call = Callable[[Any, Any], Any]
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second broker on the port fails instead of sharing it
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),  # so that our own limits answer, in the service's words
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
]
_THREADS = 200
"""Each open stream and each waiting pull holds one."""


def serve(
    port: int, unary: Mapping[str, tuple[str, Call]], streaming_pull: Callable[[Iterator[Any], Any], Iterator[Any]]
) -> tuple[grpc.Server, int]:
    """A started server and its port. `unary` maps a method's full name to its request's class name and its handler."""
    server = grpc.server(ThreadPoolExecutor(_THREADS, "pubsub grpc"), options=_OPTIONS)
    server.add_generic_rpc_handlers((_Methods(unary, streaming_pull),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


class _Methods(grpc.GenericRpcHandler):
    def __init__(
        self, unary: Mapping[str, tuple[str, Call]], streaming_pull: Callable[[Iterator[Any], Any], Iterator[Any]]
    ) -> None:
        self._handlers = {f"/google.pubsub.v1.{name}": _unary(*entry) for name, entry in unary.items()}
        self._handlers["/google.pubsub.v1.Subscriber/StreamingPull"] = grpc.stream_stream_rpc_method_handler(
            _answering_stream(streaming_pull),
            request_deserializer=message_class("StreamingPullRequest").FromString,
            response_serializer=_serialize,
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Every other method is refused by name, whatever it carries."""
        return self._handlers.get(handler_call_details.method) or grpc.unary_unary_rpc_method_handler(
            _answering(lambda _request, _context: _refuse(handler_call_details.method))
        )


def _refuse(method: str) -> Any:
    raise unsupported(method)


def _unary(request: str, call: Call) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        _answering(call), request_deserializer=message_class(request).FromString, response_serializer=_serialize
    )


def _serialize(message: Any) -> bytes:
    return bytes((Empty() if message is None else message).SerializeToString())


def _answering(call: Call) -> Call:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(request, context)
        except Rejected as error:
            context.abort(error.code, error.message)

    return answer


def _answering_stream(
    call: Callable[[Iterator[Any], Any], Iterator[Any]],
) -> Callable[[Iterator[Any], Any], Iterator[Any]]:
    def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from call(requests, context)
        except Rejected as error:
            context.abort(error.code, error.message)

    return answer
