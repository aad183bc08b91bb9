"""Talking to anybody but the harness."""

import array
import socket

from case import MOUNTS, SECCOMP, attack, become_root_of_a_namespace, reach


@attack(SECCOMP)
def connect_over_tcp(given, model):
    return socket.create_connection(("127.0.0.1", given["port"]), 5).fileno()


@attack(SECCOMP)
def connect_over_tcp_6(given, model):
    return socket.socket(socket.AF_INET6).fileno()


@attack(SECCOMP)
def listen_over_tcp(given, model):
    return socket.create_server(("127.0.0.1", 0)).fileno()


@attack(SECCOMP)
def send_over_udp(given, model):
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", given["port"]))


@attack(MOUNTS)
def look_up_a_name(given, model):
    try:
        return socket.gethostbyname("localhost")
    except socket.gaierror as error:
        raise FileNotFoundError(2, "no hosts file, no resolver") from error


@attack(SECCOMP)
def connect_to_named_socket(given, model):
    """A path: how Docker's and D-Bus's daemons listen."""
    plug = socket.socket(socket.AF_UNIX)
    plug.connect(given["socket"])
    return plug.fileno()


@attack(SECCOMP)
def connect_to_abstract_socket(given, model):
    plug = socket.socket(socket.AF_UNIX)
    plug.connect("\0" + given["abstract"])
    return plug.fileno()


@attack(SECCOMP)
def open_netlink(given, model):
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).fileno()


@attack(SECCOMP)
def open_vsock(given, model):
    return reach(41, 40, 1, 0)


@attack(SECCOMP, needs="namespace")
def open_packet_socket(given, model):
    if given["control"]:
        become_root_of_a_namespace()
    return reach(41, 17, 3, 0)


@attack(SECCOMP)
def open_crypto_socket(given, model):
    return reach(41, 38, 5, 0)


@attack(SECCOMP)
def connect_channel_elsewhere(given, model):
    return reach(42, 3, b"\1\0x", 3)


@attack(SECCOMP)
def listen_on_channel(given, model):
    return reach(50, 3, 1)


@attack(SECCOMP)
def send_descriptor_over_channel(given, model):
    left, _right = socket.socketpair()
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))
    return left.sendmsg([b"x"], [rights])


@attack(SECCOMP)
def receive_descriptor_from_channel(given, model):
    left, right = socket.socketpair()
    left.send(b"x")
    return len(right.recvmsg(1, 100)[0])


@attack(SECCOMP)
def widen_channel_buffer(given, model):
    left, _right = socket.socketpair()
    return left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24) or "set"


@attack(SECCOMP)
def make_internet_socket_pair(given, model):
    return reach(53, 2, 1, 0, None)
