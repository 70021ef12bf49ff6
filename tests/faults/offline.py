"""The commands, in a process whose sockets may not be connected: `python offline.py FOLDER`; prints what was tried."""

import json
import os
import socket
import sys
from pathlib import Path

tried = []


def refuse(*arguments, **_):
    """No address is looked up or connected to."""
    tried.append(repr(arguments[-2:]))
    raise OSError(101, "the network is cut")


def cut():
    """Refuse every connection but those within this machine that have no address."""
    connect = socket.socket.connect

    def connected(self, address):
        return connect(self, address) if self.family == socket.AF_UNIX else refuse(address)

    socket.socket.connect = connected
    socket.socket.connect_ex = connected
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection"):
        setattr(socket, name, refuse)


def main(folder: Path) -> None:
    from typer.testing import CliRunner

    from tympan.cli import app

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, (arguments, done.output)
        print(done.output)
        return done.output.splitlines()[-1] if done.output else ""

    config = str(folder / "run.yaml")
    run("check", config)
    trained = run("train", config)
    run("evaluate", trained)
    run("generate", config, str(folder / "drums"))
    run("predict", trained, str(folder / "drums"), "-o", str(folder / "answers.csv"))
    run("list")
    run("schema")
    run("doctor")
    print(json.dumps(tried))


if __name__ == "__main__":
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "WANDB_MODE"):
        os.environ.pop(name, None)  # which would hide an attempt
    cut()
    main(Path(sys.argv[1]))
