"""Tries TCP, from where it is started.

    reach.py listen ADDRESS:PORT...   accepts connections there until it is killed
    reach.py try ADDRESS:PORT...      prints one line for each: the address and `open` or `closed`
"""

import selectors
import socket
import sys


def parsed(words):
    return [(host, int(port)) for host, port in (word.rsplit(":", 1) for word in words)]


def listen(addresses):
    ready = selectors.DefaultSelector()
    for address in addresses:
        ready.register(socket.create_server(address), selectors.EVENT_READ)
    print("listening", flush=True)
    while True:
        for key, _ in ready.select():
            key.fileobj.accept()[0].close()


def attempt(addresses):
    for address in addresses:
        try:
            socket.create_connection(address, timeout=5).close()
            verdict = "open"
        except OSError:
            verdict = "closed"
        print(f"{address[0]}:{address[1]} {verdict}")


if __name__ == "__main__":
    {"listen": listen, "try": attempt}[sys.argv[1]](parsed(sys.argv[2:]))
