"""A TLS peer of pyOpenSSL: answers HTTP requests of clients with a certificate, or makes one request itself. It takes the
same arguments as the peers for Node and Go beside it."""

import argparse
import socket
import sys

from OpenSSL import SSL


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    for name in ["address", "cert", "key", "ca", "name"]:
        parser.add_argument(f"-{name}", default="")
    parser.add_argument("-version", default="1.3")
    parser.add_argument("-group", default="X25519MLKEM768")
    given = parser.parse_args()
    host, port = given.address.rsplit(":", 1)
    if given.role == "server":
        serve(context(given, SSL.TLS_SERVER_METHOD), (host, int(port)))
    else:
        ask(context(given, SSL.TLS_CLIENT_METHOD), (host, int(port)), given.name)


def context(given, method):
    made = SSL.Context(method)
    version = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}[given.version]
    made.set_min_proto_version(version)
    made.set_max_proto_version(version)
    # pyOpenSSL has no method for this one; its binding does.
    if SSL._lib.SSL_CTX_set1_curves_list(made._context, given.group.encode()) != 1:
        sys.exit(f"no group {given.group}")
    if given.cert:
        made.use_certificate_chain_file(given.cert)
        made.use_privatekey_file(given.key)
    made.load_verify_locations(given.ca)
    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *verdict: bool(verdict[4]))
    return made


def serve(made, address):
    listener = socket.create_server(address)
    print("listening", flush=True)
    while True:
        accepted, _ = listener.accept()
        try:
            stream = SSL.Connection(made, accepted)
            stream.set_accept_state()
            read_request(stream)
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            stream.shutdown()
        except SSL.Error as error:
            print(error, file=sys.stderr, flush=True)
        finally:
            accepted.close()


def read_request(stream):
    request = b""
    while b"\r\n\r\n" not in request:
        request += stream.recv(4096)


def ask(made, address, name):
    stream = SSL.Connection(made, socket.create_connection(address, timeout=20))
    stream.setblocking(True)
    stream.set_tlsext_host_name(name.encode())
    stream.set_connect_state()
    stream.do_handshake()
    stream.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    print(stream.recv(4096).decode(errors="replace"))


main()
