"""llama-server out of a wheel, on 127.0.0.1:8089, for tests/it/peers.rs; ends when its input does.

python3 -m venv target/peers && target/peers/bin/pip install xllamacpp==2026.10.11549
target/peers/bin/python tests/peers/llama_server.py model/keyside-nano-v1.gguf
"""

import sys

import xllamacpp

PORT = 8089
CONTEXT_TOKENS = 2048

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.port = PORT
parameters.n_ctx = CONTEXT_TOKENS
parameters.cpuparams.n_threads = 1
# Errors only.
parameters.verbosity = 1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
