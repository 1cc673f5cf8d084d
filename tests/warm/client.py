"""Stand in for ``python``, ``dvc`` and ``evergreen``: have the warm process run the command.

Where a fork would differ from a new process, the program itself is run: other options of Python,
a terminal, and variables that Python and the libraries read when they start. `warm_programs` of
conftest.py writes the first line and, beside the programs, the file ``warm``: where the real ones
are, and the variables that the warm process has read.
"""

import marshal
import os
import signal
import socket
import sys

FIXED = ("LANG", "LC_", "LD_", "MALLOC", "MKL_", "NPY_", "OMP_", "OPENBLAS_", "PYTHON", "TZ")


def fixed(variables):
    """The variables that are read when Python and the libraries start."""
    return {k: v for k, v in variables.items() if k.startswith(FIXED) and k != "PYTHONPATH"}


def main():
    folder, name = os.path.split(os.path.abspath(sys.argv[0]))
    with open(os.path.join(folder, "warm"), "rb") as file:
        warm = marshal.load(file)
    variables = dict(os.environ)
    program = os.path.join(warm["programs"], name)
    arguments = [program, *sys.argv[1:]]
    python = name == "python"
    if (
        (python and (sys.argv[1:2] not in (["-m"], ["-c"]) or "multiprocessing" in sys.argv[2]))
        or fixed(variables) != warm["fixed"]
        or any(map(os.isatty, range(3)))
    ):
        os.execv(program, arguments)
    call = {
        "arguments": arguments,
        "folder": os.getcwd(),
        "python": os.path.join(folder, "python"),
        "variables": variables,
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.path.join(folder, "socket"))
        socket.send_fds(connection, [b"\n"], range(3))
        connection.sendall(marshal.dumps(call))
        connection.shutdown(socket.SHUT_WR)
        code = connection.recv(1)
    if not code:
        os.kill(os.getpid(), signal.SIGKILL)  # as its process was
    sys.exit(code[0])


if __name__ == "__main__":
    main()
