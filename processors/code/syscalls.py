"""Which system calls a program may make: a list of what is allowed, because kernels grow.

Compiled when the image is built, where libseccomp is (`python3 -m processors.code.syscalls > FILE`), and loaded in the
child just before its program. What is not on the list does not exist (ENOSYS), which is what programs are prepared for;
another architecture's entry (int 0x80, x32) is death. The engine's own profile may be wider, and often is: Docker's
has AF_VSOCK, which no network namespace stops.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import IO, Any

_CLONE_NEW = 0x7E020000  # namespaces; CLONE_NEWTIME is not clone's, but unshare's and clone3's
_LOW = 0xFFFFFFFF  # the kernel looks at no more of these arguments, and so must we
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
#: of terminals (to learn that there is none), of descriptors, of interfaces; not TIOCSTI, which types for others
_REQUESTS = (
    *(0x5401, 0x5402, 0x5403, 0x5404, 0x540F, 0x5410, 0x5413, 0x5414, 0x541B, 0x5421, 0x5429, 0x802C542A),
    *(0x5450, 0x5451, 0x5452, 0x5460),
    *(0x8910, 0x8912, 0x8913, 0x8915, 0x8919, 0x891B, 0x8921, 0x8927, 0x8933),
)

ALLOWED = """
accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2
fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate
futex futex_requeue futex_wait futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid geteuid getgid
getgroups getitimer get_mempolicy getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid
getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getxattr
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioprio_get io_cancel io_destroy io_getevents io_pgetevents
io_setup io_submit kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat
listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier memfd_create mincore
mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat
open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl
pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom
recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall riscv_flush_icache riscv_hwprobe
rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_yield seccomp select semctl semget semop semtimedop
sendfile sendmmsg sendmsg sendto setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid
setresuid setreuid setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setxattr shmat
shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statx symlink symlinkat
sync_file_range sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime
timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat uretprobe utime
utimensat utimes vfork vmsplice wait4 waitid write writev
""".split()

#: exist, and are none of a program's business; named, so that it is told so (EPERM)
FORBIDDEN = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig fsmount
fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl ioprio_set kcmp kexec_file_load
kexec_load keyctl lookup_dcookie mbind memfd_secret migrate_pages modify_ldt mount mount_setattr move_mount move_pages
name_to_handle_at open_by_handle_at open_tree perf_event_open personality pidfd_getfd pivot_root process_madvise
process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key sched_setattr sched_setparam
sched_setscheduler set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 unshare
userfaultfd vhangup
""".split()

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_EPERM = 1
_ENOSYS = 38


def write_program(file: IO[bytes]) -> None:
    """Compile the list for this machine's architecture, and for no other."""
    import seccomp  # type: ignore[import-not-found]  # it is there when the image is built, and nowhere else

    program: Any = seccomp.SyscallFilter(defaction=seccomp.ERRNO(_ENOSYS))
    program.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)

    def add(action: object, name: str, *conditions: object) -> None:
        if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0:  # else this architecture has it not
            program.add_rule(action, name, *conditions)

    for name in ALLOWED:
        add(seccomp.ALLOW, name)
    for name in ("clock_getres", "clock_gettime", "clock_nanosleep"):
        add(seccomp.ALLOW, name)
    for name in FORBIDDEN:
        add(seccomp.ERRNO(_EPERM), name)
    add(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_NEW, 0))
    for family in _FAMILIES:
        add(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.MASKED_EQ, _LOW, family))
    for request in _REQUESTS:
        add(seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, _LOW, request))
    program.export_bpf(file)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def restrict(program: bytes) -> None:
    """Bind this process and all that it starts; it needs no privilege but no_new_privs."""
    compiled = _Program(len(program) // 8, program)
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(compiled), 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"seccomp: {os.strerror(code)}")


if __name__ == "__main__":
    write_program(sys.stdout.buffer)
