"""Runs a statically linked x86-64 Linux program on an emulated processor that has what this one lacks.

    python tests/x86_emulator.py [--cpu MODEL] [--memory MIB] PROGRAM [ARGUMENT]...

The processor is Bochs', every instruction of it interpreted; PyPI has it as a Python module:

    pip install -r tests/requirements-x86-emulator.txt

    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked \\
        --example score_pairs --target x86_64-unknown-linux-gnu
    PAIRGATE_ISA=avx512vnni python tests/x86_emulator.py \\
        target/x86_64-unknown-linux-gnu/release/examples/score_pairs tests/data/pairs

It is a user-mode emulator: only the program is emulated, in an address space of its own, and its system
calls are made on this machine, which must be x86-64 Linux too. Arguments, environment, working folder,
files and exit status are the program's. There is one thread and there are no signals: a system call that
is not in the tables below, a fault or a signal of the program's own ends it with a message and status 125.

MODEL is one of Bochs'; sapphire_rapids, the default, has AVX-512 VNNI and AVX-VNNI, tigerlake and
corei7_icelake_u the first alone, arrow_lake the second alone.

The module wants a C library with the C23 forms of strtol and its like, glibc 2.38 or later. Where they are
missing, `cc` builds a library of them for the run.
"""

import argparse
import ctypes
import errno
import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile
import traceback

PAGE = 4096
LARGE_PAGE = 2 << 20
LOAD_AT = 4 << 20  # where a program that can lie anywhere is put
STACK_BYTES = 16 << 20
OWN_FAULT = 125  # exit status where the emulator gives up

# Linux's numbers.
ET_EXEC, ET_DYN, EM_X86_64, PT_LOAD, PT_INTERP = 2, 3, 62, 1, 3
AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_ENTRY = 0, 3, 4, 5, 6, 9
AT_SECURE, AT_RANDOM, AT_EXECFN = 23, 25, 31
MAP_FIXED, MREMAP_MAYMOVE = 0x10, 1
ARCH_SET_FS, SS_DISABLE = 0x1002, 2
FUTEX_WAKE, FUTEX_WAKE_BITSET = 1, 10

# The model that the module asks Bochs for.
MODEL_OF_MODULE = "corei3_cnl"
# Events that nobody listens to here: telling them takes more than half of the time.
UNHEARD = (
    "before_execution",
    "after_execution",
    "lin_access",
    "cnear_branch_taken",
    "cnear_branch_not_taken",
    "ucnear_branch",
    "repeat_iteration",
)

C23 = """
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#define NUMBER(type, name) \\
    type __isoc23_##name(const char *text, char **end, int base) { return name(text, end, base); }
NUMBER(long, strtol)
NUMBER(long long, strtoll)
NUMBER(unsigned long, strtoul)
NUMBER(unsigned long long, strtoull)
#define SCAN(name, from) \\
    int __isoc23_##name(from, const char *form, ...) { \\
        va_list list; \\
        va_start(list, form); \\
        int read = v##name(in, form, list); \\
        va_end(list); \\
        return read; \\
    }
SCAN(sscanf, const char *in)
SCAN(fscanf, FILE *in)
"""

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def load_bochs():
    """The module, on a C library that may be too old for it."""
    if not hasattr(libc, "__isoc23_strtol"):
        with tempfile.TemporaryDirectory() as folder:
            library = f"{folder}/c23.so"
            build = ["cc", "-std=gnu11", "-shared", "-fPIC", "-o", library, "-x", "c", "-"]
            subprocess.run(build, input=C23, text=True, check=True)
            ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    import bochscpu
    import bochscpu.memory

    return bochscpu


def prepare_bochs(bochs, model):
    """Makes the module's processors `model`s, and quicker. It has no settings for that, so the first
    instructions of some of its functions are written anew."""
    module = ctypes.CDLL(bochs._bochscpu.__file__)

    def address(function):
        return ctypes.cast(getattr(module, function), ctypes.c_void_p).value

    def maker(model):
        function = f"create_{model}_cpuid"
        return f"_Z{len(function)}{function}P8BX_CPU_C"

    def rewrite(function, code):
        first = address(function)
        page = first & -PAGE
        pages = ctypes.c_void_p(page), ctypes.c_size_t(first + len(code) - page)
        libc.mprotect(*pages, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        ctypes.memmove(first, code, len(code))
        libc.mprotect(*pages, mmap.PROT_READ | mmap.PROT_EXEC)

    if not hasattr(module, maker(model)):
        raise Stop(OWN_FAULT, f"this Bochs has no model {model}")
    if model != MODEL_OF_MODULE:
        jump = struct.pack("<2sQ2s", b"\x48\xb8", address(maker(model)), b"\xff\xe0")
        rewrite(maker(MODEL_OF_MODULE), jump)  # mov rax, ...; jmp rax
    for event in UNHEARD:
        rewrite(f"bx_instr_{event}", b"\xc3")  # ret


def up(address, size=PAGE):
    """The next multiple of `size`."""
    return -(-address // size) * size


class Stop(Exception):
    """The end of the program, with its exit status and what there is to say of it."""

    def __init__(self, status, message=""):
        super().__init__(message)
        self.status = status


class Memory:
    """The program's memory: addresses 0 to `size`, each the same physical address, all of it readable,
    writable and executable but the first large page, which holds the page tables and cannot be reached."""

    TABLES = PAGE

    def __init__(self, bochs, size):
        self.size = size
        self.bytes = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.host = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))
        for page in range(0, size, PAGE):
            bochs.memory.page_insert(page, self.host + page)
        pointers = self.TABLES + PAGE
        directory = pointers + PAGE
        self.put(self.TABLES, "Q", pointers | 7)
        for gigabyte in range(-(-size >> 30)):
            self.put(pointers + 8 * gigabyte, "Q", directory + PAGE * gigabyte | 7)
        for large in range(1, size // LARGE_PAGE):
            self.put(directory + 8 * large, "Q", large * LARGE_PAGE | 0x87)
        self.holes = []

    def put(self, address, form, *values):
        """Writes numbers."""
        struct.pack_into("<" + form, self.bytes, address, *values)

    def get(self, address, form):
        """Reads numbers."""
        return struct.unpack_from("<" + form, self.bytes, address)

    def clear(self, start, length):
        """Makes whole pages zero and gives them back to this machine."""
        self.bytes.madvise(mmap.MADV_DONTNEED, start, length)

    def take(self, length):
        """The address of so many free bytes, which are zero; `None` where there are not as many."""
        for start, end in self.holes:
            if end - start >= length:
                self.carve(end - length, length)
                return end - length
        return None

    def carve(self, start, length):
        """Makes a range taken, whatever it was."""
        end, holes = start + length, []
        for hole in self.holes:
            holes += [(hole[0], min(hole[1], start)), (max(hole[0], end), hole[1])]
        self.holes = [(low, high) for low, high in holes if low < high]

    def give(self, start, length):
        """Makes a range free."""
        self.carve(start, length)
        self.clear(start, length)
        merged = []
        for low, high in sorted([*self.holes, (start, start + length)]):
            if merged and merged[-1][1] == low:
                low = merged.pop()[0]
            merged.append((low, high))
        self.holes = merged


def load(memory, path):
    """Puts an ELF program into memory; its entry, its end and what the C library asks of its headers."""
    with open(path, "rb") as file:
        elf = file.read()
    kind, machine = struct.unpack_from("<HH", elf, 16)
    if elf[:5] != b"\x7fELF\x02" or machine != EM_X86_64 or kind not in (ET_EXEC, ET_DYN):
        raise Stop(OWN_FAULT, f"{path} is no x86-64 program")
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    base = LOAD_AT if kind == ET_DYN else 0
    end = headers_at = 0
    for header in range(count):
        form, _, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, headers + header * size
        )
        if form == PT_INTERP:
            raise Stop(OWN_FAULT, f"{path} is not linked statically")
        if form == PT_LOAD:
            address += base
            memory.bytes[address : address + in_file] = elf[offset : offset + in_file]
            end = max(end, address + in_memory)
            if offset <= headers < offset + in_file:
                headers_at = address - offset + headers
    about = {AT_PHDR: headers_at, AT_PHENT: size, AT_PHNUM: count, AT_ENTRY: base + entry}
    return base + entry, up(end), about


def fill_stack(memory, top, arguments, environment, auxiliary):
    """Puts on the stack what a program finds there; its stack pointer."""

    def text(value):
        nonlocal top
        value = os.fsencode(value) + b"\0"
        top -= len(value)
        memory.bytes[top : top + len(value)] = value
        return top

    arguments = [text(argument) for argument in arguments]
    environment = [text(f"{name}={value}") for name, value in environment.items()]
    top -= 16
    memory.bytes[top : top + 16] = os.urandom(16)
    auxiliary |= {AT_PAGESZ: PAGE, AT_SECURE: 0, AT_RANDOM: top, AT_EXECFN: arguments[0], AT_NULL: 0}
    words = [len(arguments), *arguments, 0, *environment, 0]
    for pair in auxiliary.items():
        words += pair
    top = (top - 8 * len(words)) & -16
    memory.put(top, f"{len(words)}Q", *words)
    return top


# System calls that are made here as they are, by number, with their arguments: a number or a pointer each.
PASSED_ON = {
    0: "npn",  # read
    1: "npn",  # write
    2: "pnn",  # open
    3: "n",  # close
    4: "pp",  # stat
    5: "np",  # fstat
    6: "pp",  # lstat
    7: "pnn",  # poll
    8: "nnn",  # lseek
    16: "nnp",  # ioctl
    17: "npnn",  # pread64
    21: "pn",  # access
    32: "n",  # dup
    39: "",  # getpid
    63: "p",  # uname
    72: "nnn",  # fcntl
    79: "pn",  # getcwd
    89: "ppn",  # readlink
    96: "pp",  # gettimeofday
    99: "p",  # sysinfo
    102: "",  # getuid
    104: "",  # getgid
    107: "",  # geteuid
    108: "",  # getegid
    186: "",  # gettid
    201: "p",  # time
    217: "npn",  # getdents64
    228: "np",  # clock_gettime
    229: "np",  # clock_getres
    257: "npnn",  # openat
    262: "nppn",  # newfstatat
    267: "nppn",  # readlinkat
    302: "nnpp",  # prlimit64
    318: "pnn",  # getrandom
    332: "npnnp",  # statx
}


class Process:
    """System calls of the program that concern its memory, its thread or its end."""

    def __init__(self, memory, cpu, segment, heap):
        self.memory, self.cpu, self.segment = memory, cpu, segment
        stack = memory.size - STACK_BYTES
        self.heap = self.heap_end = heap
        # As much for the heap as for mappings.
        self.heap_limit = up((heap + stack) // 2)
        memory.holes = [(self.heap_limit, stack)]

    def call(self):
        """Makes the system call that the registers ask for."""
        cpu = self.cpu
        arguments = cpu.rdi, cpu.rsi, cpu.rdx, cpu.r10, cpu.r8, cpu.r9
        own = self.OWN.get(cpu.rax)
        if own:
            result = own(self, *arguments)
        elif cpu.rax in PASSED_ON:
            result = self.pass_on(cpu.rax, arguments)
        else:
            raise Stop(OWN_FAULT, f"system call {cpu.rax} is not emulated")
        cpu.rax = result & (1 << 64) - 1

    def pass_on(self, number, arguments):
        """Makes a call of this machine's; the program's memory lies in this process's."""
        host = self.memory.host
        given = [number]
        for form, argument in zip(PASSED_ON[number], arguments):
            given.append(argument + host if form == "p" and argument else argument)
        result = libc.syscall(*map(ctypes.c_long, given))
        return result if result != -1 else -ctypes.get_errno()

    def map_pages(self, address, length, _protection, flags, file, offset):
        memory, length = self.memory, up(length)
        if flags & MAP_FIXED:
            memory.carve(address, length)
            memory.clear(address, length)
        else:
            address = memory.take(length)
            if address is None:
                return -errno.ENOMEM
        if not flags & mmap.MAP_ANONYMOUS:
            data = os.pread(file, length, offset)
            memory.bytes[address : address + len(data)] = data
        return address

    def unmap_pages(self, address, length, *_):
        self.memory.give(address, up(length))
        return 0

    def move_pages(self, address, length, new_length, flags, *_):
        memory, length, new_length = self.memory, up(length), up(new_length)
        if new_length <= length:
            if new_length < length:
                memory.give(address + new_length, length - new_length)
            return address
        moved = memory.take(new_length) if flags == MREMAP_MAYMOVE else None
        if moved is None:
            return -errno.ENOMEM
        memory.bytes.move(moved, address, length)
        memory.give(address, length)
        return moved

    def brk(self, end, *_):
        if self.heap <= end <= self.heap_limit:
            old, new = up(self.heap_end), up(end)
            if new < old:
                self.memory.clear(new, old - new)
            self.heap_end = end
        return self.heap_end

    def advise(self, address, length, advice, *_):
        if advice == mmap.MADV_DONTNEED:
            self.memory.clear(address, up(length))
        return 0

    def write_all(self, file, vectors, count, *_):
        vectors = [self.memory.get(vectors + 16 * i, "QQ") for i in range(count)]
        return os.writev(file, [self.memory.bytes[at : at + length] for at, length in vectors])

    def set_base(self, which, address, *_):
        if which != ARCH_SET_FS:
            return -errno.EINVAL
        self.cpu.fs = self.segment(address)
        return 0

    def action(self, _signal, _action, old, *_):
        if old:
            self.memory.put(old, "4Q", 0, 0, 0, 0)
        return 0

    def mask(self, _how, _set, old, *_):
        if old:
            self.memory.put(old, "Q", 0)
        return 0

    def alternate_stack(self, _stack, old, *_):
        if old:
            self.memory.put(old, "QQQ", 0, SS_DISABLE, 0)
        return 0

    def futex(self, address, operation, value, *_):
        if operation & 127 in (FUTEX_WAKE, FUTEX_WAKE_BITSET):
            return 0
        if self.memory.get(address, "I") != (value & 0xFFFFFFFF,):
            return -errno.EAGAIN
        raise Stop(OWN_FAULT, "the program waits for a thread, and there is none")

    def end(self, status, *_):
        raise Stop(status & 255)

    def kill(self, *arguments):
        raise Stop(OWN_FAULT, f"the program ended itself by a signal: {arguments[:3]}")

    def processors(self, _thread, _length, mask, *_):
        self.memory.put(mask, "Q", 1)
        return 8

    def accept(self, *_):
        return 0

    def refuse(self, *_):
        return -errno.ENOSYS

    def thread(self, *_):
        return os.getpid()

    OWN = {
        9: map_pages,  # mmap
        10: accept,  # mprotect
        11: unmap_pages,  # munmap
        12: brk,
        13: action,  # rt_sigaction
        14: mask,  # rt_sigprocmask
        20: write_all,  # writev
        24: accept,  # sched_yield
        25: move_pages,  # mremap
        28: advise,  # madvise
        60: end,  # exit
        131: alternate_stack,
        157: refuse,  # prctl
        158: set_base,  # arch_prctl
        200: kill,  # tkill
        202: futex,
        204: processors,  # sched_getaffinity
        218: thread,  # set_tid_address
        231: end,  # exit_group
        234: kill,  # tgkill
        273: accept,  # set_robust_list
        334: refuse,  # rseq
    }


def first_state(bochs, entry, stack, calls):
    """Long mode on the tables of `Memory`, with all vector registers, about to run `entry`. `calls` is
    where system calls go."""

    def segment(attributes, base=0):
        made = bochs.Segment()
        made.present, made.selector, made.base, made.limit = True, 8, base, 0xFFFFFFFF
        made.attr = attributes
        return made

    def data(base=0):
        return segment(0xC093, base)

    state = bochs.State()
    state.cr0 = 0x80010033  # paging, write protection, native x87 errors, protected mode
    state.cr3 = Memory.TABLES
    state.cr4 = 0x40620  # XSAVE, SSE exceptions, SSE, 64-bit page tables
    state.efer = 0xD01  # execution can be denied, long mode, SYSCALL
    state.xcr0 = 0xE7  # x87, SSE, AVX, AVX-512
    state.fpcw, state.fptw = 0x37F, 0xFFFF
    state.mxcsr, state.mxcsr_mask = 0x1F80, 0xFFFF
    state.rflags = 0x202
    state.cs, state.tr = segment(0xA09B), segment(0x8B)
    state.ss = state.ds = state.es = state.fs = state.gs = data()
    state.star, state.lstar = 8 << 32, calls
    state.rip, state.rsp = entry, stack
    return state, data


def run(bochs, size, arguments):
    """Runs a program to its end, which is the `Stop` that it raises."""
    memory = Memory(bochs, size)
    entry, heap, auxiliary = load(memory, arguments[0])
    # A system call ends at this instruction, which the program itself does not use and whose hook makes
    # the call: clflush [rip]; jmp rcx
    calls = LARGE_PAGE
    stub = bytes.fromhex("0fae3d00000000 ffe1")
    memory.bytes[calls : calls + len(stub)] = stub
    stack = fill_stack(memory, size - PAGE, arguments, os.environ, auxiliary)

    session = bochs.Session()
    session.missing_page_handler = lambda address: None  # none is: the tables lead to no other
    state, segment = first_state(bochs, entry, stack, calls)
    cpu = session.cpu
    cpu.state = state
    process = Process(memory, cpu, segment, heap)
    ended = []

    def system_call(*_):
        try:
            process.call()
        except OSError as error:
            cpu.rax = -error.errno & (1 << 64) - 1
        except BaseException as error:  # none may go through Bochs
            ended.append(error)
            session.stop()

    def fault(_session, _cpu, vector, code):
        where = f"at {cpu.rip:#x}, address {cpu.cr2:#x}"
        ended.append(Stop(OWN_FAULT, f"processor exception {vector} (code {code}) {where}"))
        session.stop()

    hook = bochs.Hook()
    hook.clflush, hook.exception = system_call, fault
    session.run([hook])
    raise ended[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("--cpu", default="sapphire_rapids", metavar="MODEL", help="Bochs' name of a processor")
    add("--memory", type=int, default=1024, metavar="MIB", help="the program's memory")
    add("program", nargs=argparse.REMAINDER, metavar="PROGRAM ARGUMENT...")
    options = parser.parse_args()
    if not options.program:
        parser.error("no program is named")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Bochs would run on
    try:
        bochs = load_bochs()
        prepare_bochs(bochs, options.cpu)
        run(bochs, up(options.memory << 20, LARGE_PAGE), options.program)
    except Stop as stop:
        status = stop.status
        if str(stop):
            print(f"x86_emulator: {stop}", file=sys.stderr)
    except Exception:
        status = OWN_FAULT
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(status)  # the module does not survive its own clean-up


if __name__ == "__main__":
    main()
