"""Talking to anybody but the harness."""

import array
import ctypes
import errno
import socket

from case import MOUNTS, SECCOMP, Unsupported, attack, become_root_of_a_namespace, reach, syscall


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


def _ask_the_channel(option):
    found, size = ctypes.create_string_buffer(64), ctypes.c_uint(64)
    try:
        syscall(55, 3, socket.SOL_SOCKET, option, found, ctypes.byref(size))
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            raise Unsupported("this kernel has no such option") from error
        raise
    return found.raw[: size.value].hex()


@attack(SECCOMP)
def take_a_handle_on_the_worker(given, model):
    """A descriptor of the process at the other end, whatever namespace it lives in."""
    return _ask_the_channel(77)


@attack(SECCOMP)
def read_credentials_of_the_worker(given, model):
    return _ask_the_channel(17)


@attack(SECCOMP)
def number_the_sockets_of_the_machine(given, model):
    """One counter for all: what it grows by tells what others do."""
    return _ask_the_channel(57)


@attack(SECCOMP)
def send_urgent_byte(given, model):
    left, _right = socket.socketpair()
    return left.send(b"x", socket.MSG_OOB)


@attack(SECCOMP)
def read_urgent_byte(given, model):
    left, right = socket.socketpair()
    left.send(b"x")
    return reach(45, right.fileno(), ctypes.create_string_buffer(1), 1, 0x41, None, None)
