"""A llama-server for versus_llama_server.py, out of a wheel that needs no compiler: prints its address, ends when its input does.

    python3 benches/versus/llama_server.py MODEL N_THREADS N_CONTEXT_TOKENS N_BATCH_TOKENS
"""

import importlib.metadata
import json
import sys

import xllamacpp


def main() -> None:
    """The command; what isn't set here is llama-server's default."""
    model, n_threads, n_context, n_batch = sys.argv[1], *map(int, sys.argv[2:])
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.n_ctx = n_context
    # These two are what llama.vim asks its users to start llama-server with.
    parameters.n_batch = n_batch
    parameters.n_cache_reuse = 256
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = n_threads
    # Errors only: logging must not cost the server time.
    parameters.verbosity = 1
    server = xllamacpp.Server(parameters)
    about = {
        "address": server.listening_address.removeprefix("http://"),
        "version": f"xllamacpp {importlib.metadata.version('xllamacpp')}",
        "processor_features": xllamacpp.get_system_info().strip(" |"),
    }
    print(json.dumps(about), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
