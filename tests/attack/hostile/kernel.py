"""Calls that a solver has no use for, and through which kernels were broken before.

Arguments are chosen so that a kernel that lets the call in refuses it harmlessly.
"""

import ctypes
import mmap
import os
import threading

from case import SECCOMP, attack, become_root_of_a_namespace, reach


def _surface(name, number, *args, needs=""):
    def run(given, model):
        if given["control"] and needs == "namespace":
            become_root_of_a_namespace()
        return reach(number, *args)

    run.__name__ = name
    globals()[name] = attack(SECCOMP, needs=needs)(run)


_surface("set_up_io_uring", 425, 1, None)
_surface("set_up_old_asynchronous_io", 206, 0, None)
_surface("trace_a_process", 101, 16, 0, 0, 0)
_surface("open_process_descriptor", 434, os.getpid(), 0)
_surface("steal_descriptor", 438, -1, 0, 0)
_surface("signal_by_descriptor", 424, -1, 0, None, 0)
_surface("compare_processes", 312, -1, -1, 0, 0, 0)
_surface("load_bpf", 321, 0, None, 0, needs="root")
_surface("open_perf_event", 298, None, 0, -1, -1, 0)
_surface("handle_page_faults", 323, 0xFFFF)
_surface("use_keyring", 250, 0xFFFF, 0, 0, 0, 0)
_surface("add_key", 248, None, None, None, 0, 0)
_surface("load_other_kernel", 246, 0, 99999, None, 0, needs="root")
_surface("load_module", 313, -1, b"", 0, needs="root")
_surface("name_file_handle", 303, -1, b"x", None, None, 0)
_surface("open_file_handle", 304, -1, None, 0, needs="root")
_surface("change_personality", 135, 0xFFFF_FFFF)
_surface("unshare_user_namespace", 272, 0x1000_0000)
_surface("unshare_mount_namespace", 272, 0x0002_0000, needs="namespace")
_surface("enter_namespace", 308, -1, 0)
_surface("start_process_by_clone3", 435, None, 0)
_surface("mount", 165, None, None, None, 0, None)
_surface("unmount", 166, None, 0)
_surface("open_mount_tree", 428, -1, b"x", 0)
_surface("move_mount", 429, -1, b"x", -1, b"x", 0, needs="namespace")
_surface("open_new_filesystem", 430, None, 0, needs="namespace")
_surface("pivot_root", 155, None, None, needs="namespace")
_surface("change_root", 161, b"/", needs="namespace")
_surface("raise_io_privilege", 172, 0)
_surface("change_segment_table", 154, 0, None, 0)
_surface("read_kernel_log", 103, 10, None, 0, needs="root")
_surface("adjust_clock", 305, 0, None)
_surface("bind_memory_to_node", 237, 0, 0, 0, None, 0, 0)
_surface("remap_file_pages", 216, 0, 0, 0, 0, 0)
_surface("query_protection_keys", 330, 0, 0xFF)
_surface("load_filter_by_prctl", 157, 22, 2, None, 0, 0)
_surface("adopt_orphans", 157, 36, 0, 0, 0, 0)
_surface("name_own_debugger", 157, 0x5961_6D61, 0, 0, 0, 0)
_surface("forbid_the_clock", 157, 26, 99, 0, 0, 0)
_surface("divert_own_calls", 157, 59, 99, 0, 0, 0)
_surface("keep_capabilities", 157, 8, 0, 0, 0, 0)
_surface("share_a_core", 157, 62, 99, 0, 0, 0)
_surface("set_securebits", 157, 28, 0, 0, 0, 0, needs="root")
_surface("seal_pages", 462, 0, 0, 0)
_surface("make_shadow_stack", 453, 0, 0, 0)
_surface("look_into_page_cache", 451, -1, None, None, 0)
_surface("open_with_resolve_flags", 437, -1, b"x", None, 0)
_surface("copy_in_the_kernel", 326, -1, None, -1, None, 0, 0)
_surface("send_file", 40, -1, -1, None, 0)
_surface("wait_for_any_child", 247, 99, 0, None, 0, None)
_surface("load_own_filter", 317, 0, 1, None)
_surface("reset_landlock", 444, None, 0, 1)


@attack(SECCOMP)
def read_memory_of_process(given, model):
    held = ctypes.create_string_buffer(8)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(held), 8)
    return reach(310, os.getpid(), vector, 1, vector, 1, 0)


@attack(SECCOMP)
def write_memory_of_process(given, model):
    held = ctypes.create_string_buffer(8)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(held), 8)
    return reach(311, os.getpid(), vector, 1, vector, 1, 0)


def _machine_code(code):
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    page = mmap.mmap(-1, 4096, flags, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return page, ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))


_INT_80 = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20 (i386 getpid); int 0x80; ret
_X32 = b"\xb8\x27\x00\x00\x40\x0f\x05\xc3"  # mov eax, 0x40000027 (x32 getpid); syscall; ret


def _in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found


@attack(SECCOMP, "SV")
def enter_as_32_bit(given, model):
    _page, function = _machine_code(_INT_80)
    return function()


@attack(SECCOMP, "SV")
def enter_as_32_bit_in_thread(given, model):
    _page, function = _machine_code(_INT_80)
    return _in_thread(function)


@attack(SECCOMP, "SV")
def enter_as_x32(given, model):
    _page, function = _machine_code(_X32)
    return function()


@attack(SECCOMP, "SV")
def enter_as_x32_in_thread(given, model):
    _page, function = _machine_code(_X32)
    return _in_thread(function)
