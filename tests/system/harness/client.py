# SPDX-License-Identifier: Apache-2.0
"""The official gRPC client (grpcio), with messages that Google's own compiler makes from our file.

The stubs are made once a run, into a scratch folder: nothing generated lives in the repository.
"""
import importlib.resources
import sys
import tempfile

import grpc
import grpc_tools.protoc
from google.rpc import error_details_pb2, status_pb2

from .process import PATIENCE_S, ROOT


def _compile():
    folder = tempfile.mkdtemp(prefix="abacus-stubs-")
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    code = grpc_tools.protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"-I{well_known}",
                                   f"--python_out={folder}", "abacus/v1/adder.proto",
                                   "abacus/v1/event.proto"])
    assert code == 0, "protoc"
    sys.path.insert(0, folder)


_compile()
from abacus.v1 import adder_pb2, event_pb2  # noqa: E402  pylint: disable=wrong-import-position

ADD = "/abacus.v1.Adder/Add"


class AdderClient:
    """A channel to one adder. Raises grpc.RpcError as grpcio does."""

    def __init__(self, address):
        # Reconnect at once, since tests kill and restart the server. The "minimum backoff" is how
        # long one attempt may take.
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 10000), ("grpc.use_local_subchannel_pool", 1)])
        self._add = self.channel.unary_unary(
            ADD, request_serializer=adder_pb2.AddRequest.SerializeToString,
            response_deserializer=adder_pb2.AddResponse.FromString)

    def add(self, a, b, request_id="", **keywords):
        return self._add(self._request(a, b, request_id), **{"timeout": PATIENCE_S, **keywords})

    def add_later(self, a, b, request_id="", **keywords):
        """A future of the answer."""
        return self._add.future(self._request(a, b, request_id),
                                **{"timeout": PATIENCE_S, **keywords})

    def send_bytes(self, method, body, **keywords):
        """Whatever bytes to whatever method; the answer is bytes too."""
        call = self.channel.unary_unary(method, request_serializer=None,
                                        response_deserializer=None)
        return call(body, **{"timeout": PATIENCE_S, **keywords})

    @staticmethod
    def _request(a, b, request_id):
        return adder_pb2.AddRequest(a=a, b=b, request_id=request_id)

    def close(self):
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def error_info(error):
    """The google.rpc.ErrorInfo of a failed call, from its grpc-status-details-bin trailer."""
    trailers = {key: value for key, value in error.trailing_metadata()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info), status
    return info
