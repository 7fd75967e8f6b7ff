"""Generates the package `purchasing` (messages, stubs and their types) from the service's .proto files."""

import shutil
import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTO = HERE.parents[1] / "proto"
# google/protobuf/timestamp.proto and the like.
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"


def main() -> int:
    """Generates everything anew, so that nothing stays of a file that is gone. Returns protoc's status."""
    shutil.rmtree(HERE / "purchasing", ignore_errors=True)
    outputs = [f"--{kind}_out={HERE}" for kind in ("python", "grpc_python")]
    typed = [f"--{kind}_out=quiet:{HERE}" for kind in ("mypy", "mypy_grpc")]
    # All files, options.proto too: the others import it.
    files = [str(path.relative_to(PROTO)) for path in sorted(PROTO.glob("purchasing/v1/*.proto"))]
    # protoc looks for its plugins in PATH; those of this interpreter stand beside it.
    plugins = [
        f"--plugin=protoc-gen-{kind}={Path(sys.executable).parent / f'protoc-gen-{kind}'}"
        for kind in ("mypy", "mypy_grpc")
    ]
    return int(protoc.main(["protoc", f"-I{PROTO}", f"-I{WELL_KNOWN}", *outputs, *typed, *plugins, *files]))


if __name__ == "__main__":
    sys.exit(main())
