# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of a few instructions, booted as Linux is: what they find, what is typed, and how they end."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from commands import pvperf
from tiny_kernel import bzimage, vmlinux

from emulator import AllHalted, GuestPanicked, GuestShutdown, UsageError, VirtualMachine
from emulator.events import parse_events
from emulator.guest.build import find_compiler
from emulator.guest.linux import cpio

MEMORY = 64 << 20
#: Subroutines: say writes what RSI points to, up to a NUL; leave ends with AL as the status.
LIBRARY = """
say:
	lodsb
	test %al, %al
	jz 1f
	mov $0x3f8, %dx
	out %al, %dx
	jmp say
1:	ret
leave:
	out %al, $0xf4
1:	hlt
	jmp 1b
stack_end = 0x8000
"""
RESET = "mov $0xfe, %al\nout %al, $0x64\n1: jmp 1b\n"


def assembled(code: str, directory: Path) -> bytes:
    """The machine code of it, for any address, with a stack below."""
    source, output = directory / "kernel.S", directory / "kernel.bin"
    source.write_text(f".globl _start\n_start:\nmov $0x8000, %esp\n{code}\n{LIBRARY}")
    link = ("-nostdlib", "-static", "-Wl,--oformat=binary", "-Wl,-Ttext=0", "-Wl,--build-id=none", "-Wl,-N")
    subprocess.run([*find_compiler(None), *link, str(source), "-o", str(output)], check=True, capture_output=True)
    return output.read_bytes()


def kernel(directory: Path, code: str, name: str = "vmlinuz") -> Path:
    """The file of a kernel that runs `code`."""
    path = directory / name
    data = assembled(code, directory)
    path.write_bytes(vmlinux(data) if name == "vmlinux" else bzimage(data))
    return path


def saying(text: str) -> str:
    return f'lea 9f(%rip), %rsi\ncall say\n.pushsection .rodata\n9: .asciz "{text}"\n.popsection\n'


SAY_COMMAND_LINE = "mov 0x228(%rsi), %esi\ncall say\n"
#: Sends back what is typed, up to a q; its status is how many bytes it was.
ECHO = """
	xor %ebx, %ebx
	mov $0x3f9, %dx
	mov $1, %al
	out %al, %dx
2:	mov $0x3fd, %dx
	in %dx, %al
	test $1, %al
	jz 2b
	mov $0x3f8, %dx
	in %dx, %al
	out %al, %dx
	inc %ebx
	cmp $'q', %al
	jne 2b
	mov %ebx, %eax
	call leave
"""


@pytest.mark.parametrize("name", ["vmlinuz", "vmlinux"])
def test_a_kernel_is_told_its_command_line_and_gives_a_status(name: str, tmp_path: Path) -> None:
    path = kernel(tmp_path, SAY_COMMAND_LINE + "mov $7, %al\ncall leave\n", name)
    with VirtualMachine(memory=MEMORY) as vm:
        result = vm.run(path, ["run", "two words", "a=b"], append="quiet x=1")
    assert result.console.endswith(b' quiet x=1 earlycon=uart8250,io,0x3f8 -- run "two words" a=b')
    assert result.console.startswith(b"console=ttyS0 ")
    assert (result.status, result.ended) == (7, "exit")


def test_a_reset_is_an_orderly_end(tmp_path: Path) -> None:
    with VirtualMachine(memory=MEMORY) as vm:
        result = vm.run(kernel(tmp_path, saying("bye") + RESET))
    assert (result.status, result.ended, result.console) == (0, "exit", b"bye")


def test_it_finds_the_initrds(tmp_path: Path) -> None:
    archives = [cpio.archive([cpio.file(name, name.encode() * 5)]) for name in ("one", "two")]
    paths = [tmp_path / "one.cpio", tmp_path / "two.cpio"]
    for path, data in zip(paths, archives, strict=True):
        path.write_bytes(data)
    code = "mov 0x21c(%rsi), %ecx\nmov 0x218(%rsi), %esi\nmov $0x3f8, %dx\nrep outsb\nmov $0, %al\ncall leave\n"
    with VirtualMachine(memory=MEMORY) as vm:
        assert vm.run(kernel(tmp_path, code), initrd=paths).console == b"".join(archives)
        assert vm.run(kernel(tmp_path, code), initrd=str(paths[1])).console == archives[1]


@pytest.mark.parametrize("after", [RESET, "1: jmp 1b\n", "cli\nhlt\n"], ids=["reset", "spin", "halt"])
def test_a_panic_is_an_error_with_its_reason(after: str, tmp_path: Path) -> None:
    said = r"[    1.0] first\r\n[    1.2] Kernel panic - not syncing: made up\r\n[    1.3] Call Trace:\r\n"
    with VirtualMachine(memory=MEMORY) as vm, pytest.raises(GuestPanicked) as raised:
        vm.run(kernel(tmp_path, saying(said) + after))
    assert str(raised.value) == "the guest's kernel has panicked: made up"
    assert raised.value.details.splitlines()[0].endswith("first")
    assert raised.value.details.splitlines()[-1].endswith("Call Trace:")
    assert raised.value.statistics["console_bytes"] > 50
    assert raised.value.exit_status == 123


@pytest.mark.parametrize(("code", "error"), [("ud2\n", GuestShutdown), ("cli\n1: hlt\njmp 1b\n", AllHalted)])
def test_what_ends_itself(code: str, error: type[Exception], tmp_path: Path) -> None:
    with VirtualMachine(memory=MEMORY) as vm, pytest.raises(error):
        vm.run(kernel(tmp_path, code), timeout=300)


def test_one_that_never_idles_is_ended(tmp_path: Path) -> None:
    with VirtualMachine(memory=MEMORY) as vm:
        assert vm.run(kernel(tmp_path, "1: jmp 1b\n"), timeout=0.2).ended == "timeout"


def test_what_is_typed_arrives(tmp_path: Path) -> None:
    """More than the guest's ring takes, by a callback, a thread, and a pipe."""
    path, text = kernel(tmp_path, ECHO), b"0123456789abcdef" * 1000 + b"q"
    with VirtualMachine(memory=MEMORY) as vm:
        reader, writer = os.pipe()
        feeder = threading.Thread(target=lambda: (os.write(writer, text), os.close(writer)))
        feeder.start()
        with os.fdopen(reader, "rb", buffering=0) as source:
            result = vm.run(path, console_input=source)
        feeder.join()
        assert result.console == text
        assert result.status == len(text) & 0xFF

        asked = kernel(tmp_path, saying("?") + ECHO, "asks")
        assert vm.run(asked, console=lambda data: vm.type(b"answer q") if data == b"?" else None).console == (
            b"?answer q"
        )


def test_typing_where_nobody_listens_harms_nobody(tmp_path: Path) -> None:
    with VirtualMachine(memory=MEMORY) as vm:
        vm.type(b"early")
        vm.run(kernel(tmp_path, saying("x") + RESET), console=lambda _: vm.type(b"late"))
        vm.type(b"later")


def test_two_processors_begin_with_one(tmp_path: Path) -> None:
    """The other one waits to be started, which this kernel does not do."""
    with VirtualMachine(memory=MEMORY, smp=2) as vm:
        assert vm.run(kernel(tmp_path, saying("one") + RESET)).console == b"one"


def test_counts_are_exact(tmp_path: Path) -> None:
    code = "mov $1000, %ecx\n1: dec %ecx\njnz 1b\nmov $0, %al\nout %al, $0xf4\n"
    with VirtualMachine(memory=MEMORY) as vm:
        result = vm.run(kernel(tmp_path, code), events=parse_events("instructions,branches"))
    assert [count.value for count in result.counts] == [1 + 1 + 2000 + 1, 1000]  # what ends the VM does not retire


def test_wrong_use(tmp_path: Path) -> None:
    path = kernel(tmp_path, RESET)
    with VirtualMachine(memory=MEMORY) as vm:
        for asked in ({"initrd": path}, {"append": "quiet"}):
            with pytest.raises(UsageError, match="are for Linux, and guest 'hello' is no Linux kernel"):
                vm.run("hello", **asked)  # type: ignore[arg-type]
        for asked, said in (
            ({"initrd": 5}, "initrd is the path of a file, or several, and 5 is neither"),
            ({"initrd": [5]}, "initrd must be the path of a file, and 5 is not"),
            ({"initrd": tmp_path / "none"}, "cannot open initrd"),
            ({"initrd": path}, "is no cpio archive"),
            ({"append": 5}, "append must be a str with options of the kernel"),
            ({"append": "x" * 300}, "the kernel takes a command line of 255 bytes"),
            ({"args": ['say "this"']}, "the kernel has no way to pass a double quote"),
            ({"console_input": 5}, "console_input is an open file, pipe or socket, and 5 is not"),
        ):
            with pytest.raises(UsageError, match=said):
                vm.run(path, **asked)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="RAM is too small: 16 MiB"):
            VirtualMachine(memory=16 << 20).run(path)


def test_the_command_line(tmp_path: Path) -> None:
    path = kernel(tmp_path, SAY_COMMAND_LINE + "mov $3, %al\ncall leave\n")
    for command in (["run", str(path)], ["linux", str(path), "--initrd", str(archive(tmp_path))]):
        done = pvperf(*command, "--append", "x=1", "-v", "--", "sh", "-c", "a b")
        assert done.returncode == 3, done.stderr
        assert done.stdout.endswith('x=1 earlycon=uart8250,io,0x3f8 -- sh -c "a b"')
        assert f"pvperf: the kernel's command line: {done.stdout}" in done.stderr


def archive(directory: Path) -> Path:
    path = directory / "first.cpio"
    path.write_bytes(cpio.archive([cpio.file("init", b"")]))
    return path


def test_a_panic_on_the_command_line(tmp_path: Path) -> None:
    path = kernel(tmp_path, saying(r"one\r\nKernel panic - not syncing: made up\r\n") + RESET)
    loud, quiet = pvperf("run", str(path)), pvperf("run", "-q", str(path))
    assert loud.returncode == quiet.returncode == 123
    assert loud.stderr == "pvperf: the guest's kernel has panicked: made up\n"
    assert quiet.stderr.splitlines() == [loud.stderr.strip(), "one", "Kernel panic - not syncing: made up"]


def test_stdin_is_typed_and_its_end_is_a_character(tmp_path: Path) -> None:
    path = kernel(tmp_path, ECHO.replace("'q'", "4"))
    for text in ("", "some lines\nof text\n"):
        done = pvperf("run", str(path), input=text)
        assert (done.stdout, done.returncode) == (f"{text}\x04", len(text) + 1)
