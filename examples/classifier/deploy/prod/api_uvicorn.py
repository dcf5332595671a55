# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""uvicorn with its own command line, and a stop that loses no request while a proxy balances replicas.

uvicorn's supervisor keeps the listening socket until its last worker has ended: who connects meanwhile waits for nobody
and is reset at the end, and a proxy sends no POST twice. Here, on SIGTERM, the kernel first drops new connections, the
workers take and read those that are there, and then they are told. Who was dropped tries again within a second, is
refused, and the proxy asks another replica: nothing of the request had been sent.
"""

import asyncio
import ctypes
import os
import socket
import struct
import time

PAUSE_S, MOST_S = 0.5, 5.0
ATTACH_FILTER = 26  # SO_ATTACH_FILTER, which Python does not name
NO_NEW = (  # classic BPF: the flags of the TCP header; SYN without ACK is dropped, all else is kept
    (0x30, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def drop_new(sock):
    """Whoever connects from now on hears nothing, until the socket is closed; then refused."""
    words = b"".join(struct.pack("HBBI", *word) for word in NO_NEW)
    held = ctypes.create_string_buffer(words, len(words))
    try:
        sock.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, struct.pack("HL", len(NO_NEW), ctypes.addressof(held)))
    except OSError:
        pass  # not here: some kernels want CAP_NET_ADMIN for it. Who connects from now on may be reset at the end


def waiting(sock):
    """Connections that no worker has taken yet: tcpi_unacked of a listening socket."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28), 24)[0]


def unread(ports):
    """Whether a connection holds bytes that its worker has not read: on a busy machine that takes its time."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            established = row[3] == "01" and int(row[1].rpartition(":")[2], 16) in ports
            if established and int(row[4].rpartition(":")[2], 16):
                return True
    return False


def main():
    from uvicorn.main import main as command
    from uvicorn.server import Server
    from uvicorn.supervisors.multiprocess import Multiprocess

    terminate_all, shutdown = Multiprocess.terminate_all, Server.shutdown

    def drained_terminate_all(supervisor):
        for sock in supervisor.sockets:
            drop_new(sock)
        ports = {sock.getsockname()[1] for sock in supervisor.sockets}
        until = time.monotonic() + MOST_S
        time.sleep(PAUSE_S)
        while (any(map(waiting, supervisor.sockets)) or unread(ports)) and time.monotonic() < until:
            time.sleep(0.02)
        for sock in supervisor.sockets:
            sock.close()
        terminate_all(supervisor)

    async def drained_shutdown(server, sockets=None):
        for listening in [one for made in server.servers for one in made.sockets]:
            with socket.socket(fileno=os.dup(listening.fileno())) as sock:  # uvloop's own objects take no options
                drop_new(sock)
        await asyncio.sleep(PAUSE_S)
        await shutdown(server, sockets)

    Multiprocess.terminate_all = drained_terminate_all
    Server.shutdown = drained_shutdown  # where there is no supervisor: one worker
    command()


if __name__ == "__main__":  # workers import this file too
    main()
