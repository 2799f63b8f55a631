"""The wire between the chief of a search and its workers, on this host and on others.

It is KerasTuner's own gRPC service, within bounds of time: KerasTuner lets a worker wait an hour for a
chief that has died. Beside it is one call of our own, by which a worker on another host hands in what it
has recorded. Whoever reaches the port can take part, as with KerasTuner: use it in a network you trust.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.engine.trial import Trial, TrialStatus

from lab.declare.run import canonical
from lab.errors import UsageError
from lab.search.search import Address
from lab.store.records import Record

CALL_SECONDS = 60.0  # a chief that takes longer to answer, or to be there, is taken for dead
BEAT_SECONDS = 2.0  # between signs of life
IDLE_SECONDS = 0.5  # between questions whether there is a trial by now
THREADS = 8  # of the chief, which answer calls
# Two chiefs must not share a port unknowingly, as gRPC lets them; no proxy is asked for the way to one.
SERVER = (("grpc.so_reuseport", 0),)
CHANNEL = (("grpc.enable_http_proxy", 0),)
RECORDS, HAND_IN = "experiments.Records", "HandIn"


@contextlib.contextmanager
def serving(oracle: keras_tuner.Oracle, take: Callable[[Record], object], address: Address | None) -> Iterator[int]:
    """Answers workers until the context ends; gives the port.

    Args:
        oracle: decides on trials.
        take: called with each record that is handed in.
        address: where to answer; None: at a free port of this host alone.

    Raises:
        UsageError: the address cannot be had.
    """

    def hand_in(request: bytes, context: grpc.ServicerContext) -> bytes:
        take(json.loads(request))
        return b""

    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=SERVER)
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    calls = {HAND_IN: grpc.unary_unary_rpc_method_handler(hand_in)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(RECORDS, calls),))
    try:
        port = server.add_insecure_port(str(address or "127.0.0.1:0"))
    except RuntimeError as error:
        raise UsageError(f"The chief cannot answer at {address}: {error}") from error
    server.start()
    try:
        yield port
    finally:
        server.stop(None)


class Client(OracleClient):
    """KerasTuner's client, whose every call is over after `CALL_SECONDS` and not after an hour.

    Args:
        oracle: of the kind the chief has, for its constants.
        host, port: where the chief answers.
    """

    def __init__(self, oracle: keras_tuner.Oracle, host: str, port: int) -> None:
        os.environ.update(KERASTUNER_ORACLE_IP=host, KERASTUNER_ORACLE_PORT=str(port))  # where KerasTuner looks
        super().__init__(oracle)
        channel = grpc.insecure_channel(f"{host}:{port}", CHANNEL)
        self.stub = Bounded(protos.get_service_grpc().OracleStub(channel))
        self._hand_in = channel.unary_unary(f"/{RECORDS}/{HAND_IN}")

    def create_trial(self, tuner_id: str) -> Trial:
        """As KerasTuner; waits a moment where there is nothing to do, instead of asking at once again."""
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.IDLE:
            time.sleep(IDLE_SECONDS)
        return trial

    def hand_in(self, record: Record) -> None:
        """Gives the chief a record, which has it on its disk when this returns."""
        self._hand_in(canonical(record), wait_for_ready=True, timeout=CALL_SECONDS)

    @contextlib.contextmanager
    def beating(self, trial_id: str) -> Iterator[None]:
        """Tells the chief now and then that this worker is still at its trial."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_SECONDS):
                with contextlib.suppress(grpc.RpcError):  # the call that ends the trial will say what is wrong
                    self.get_trial(trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()


class Bounded:
    """A gRPC stub with a deadline of its own on every call."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._stub, name)
        return lambda request, **options: method(request, **options | {"timeout": CALL_SECONDS})
