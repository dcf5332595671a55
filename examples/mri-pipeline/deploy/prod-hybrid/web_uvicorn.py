# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""uvicorn with its own command line, and a stop that loses no request while a proxy balances replicas.

uvicorn's supervisor keeps the listening socket until its last worker has ended, and a worker that is told takes nothing
more from it: who connects meanwhile waits for nobody and is reset at the end, and a proxy sends no POST twice. Here the
supervisor closes its copy first, and each worker takes what waits before it closes its own: whoever comes after the
last of them is refused at once, and the proxy asks another replica.
"""

import asyncio
import os
import socket

from uvicorn.main import main
from uvicorn.server import Server
from uvicorn.supervisors.multiprocess import Multiprocess

READ_S = 0.5

terminate_all, shutdown = getattr(Multiprocess, "terminate_all", None), Server.shutdown


def closing_terminate_all(supervisor):
    for sock in supervisor.sockets:
        sock.close()
    terminate_all(supervisor)


def take_what_waits(listening):
    """Connections that nobody has accepted. The socket is closed at once, before the next one comes."""
    with listening:
        listening.setblocking(False)
        while True:
            try:
                yield listening.accept()[0]
            except ConnectionAbortedError:
                pass  # the client gave up
            except BlockingIOError:
                return


async def taking_shutdown(server, sockets=None):
    copies = [socket.socket(fileno=os.dup(one.fileno())) for made in server.servers for one in made.sockets]
    for made in server.servers:
        made.close()
    for sock in sockets or ():
        sock.close()
    taken = [client for copy in copies for client in take_what_waits(copy)]

    def protocol():
        state = {"server_state": server.server_state, "app_state": server.lifespan.state}
        return server.config.http_protocol_class(config=server.config, **state)

    connect = asyncio.get_running_loop().connect_accepted_socket
    await asyncio.gather(*(connect(protocol, client) for client in taken), return_exceptions=True)
    await asyncio.sleep(READ_S)  # a connection whose request has not been read yet would be closed
    await shutdown(server, sockets)


# Workers are new processes, which import this file too.
if terminate_all is not None:  # uvicorn before 0.30 has another supervisor
    Multiprocess.terminate_all = closing_terminate_all
Server.shutdown = taking_shutdown

if __name__ == "__main__":
    main()
