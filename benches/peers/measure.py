"""One command in a process of its own, measured from outside; and what machine this is."""
import os, platform, select, signal, time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
MEMORY = os.sysconf("SC_PHYS_PAGES") * PAGE


def measure(argv, out, env, cores, kill_above, seconds):
    """Runs `argv` on `cores`, stdout and stderr into files of `out`. Wall, CPU and peak RSS are the kernel's for this one child;
    `others` is how many cores the rest of the machine kept busy meanwhile. `failure` says why there is nothing to compare."""
    files = [os.open(os.path.join(out, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("stdout", "stderr")]
    busy, start, why = busy_seconds(), time.monotonic(), None
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setaffinity(0, cores)
            Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, this process goes, not the machine's others
            os.dup2(files[0], 1)
            os.dup2(files[1], 2)
            os.execvpe(argv[0], argv, {**os.environ, "TMPDIR": out, **env})
        except OSError as error:
            os.write(2, f"{argv[0]}: {error}\n".encode())
        finally:
            os._exit(127)
    try:
        handle = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while not poll.poll(100):
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
            if resident > kill_above:
                why = f"killed: more than {kill_above / 2**30:g} GiB"
            elif time.monotonic() - start > seconds:
                why = f"killed: more than {seconds:g} s"
            if why:
                os.kill(pid, signal.SIGKILL)
                break
        os.close(handle)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.wait4(pid, 0)
        raise
    _, status, usage = os.wait4(pid, 0)
    wall, cpu = time.monotonic() - start, usage.ru_utime + usage.ru_stime
    for file in files:
        os.close(file)
    code = os.waitstatus_to_exitcode(status)
    if code and not why:
        said = Path(out, "stderr").read_text(errors="replace").replace(f"{Path(out).parent}/", "").strip().splitlines() or [""]
        raised = [line for line in said if line.split(":")[0].endswith(("Error", "Exception"))]
        error = (raised or said)[-1] if said[0].startswith("Traceback") else said[0]
        why = f"exit code {code}: {error[:160]}" if code > 0 else f"ended by signal {-code}"
    others = max(0.0, (busy_seconds() - busy - cpu) / wall)
    return {"wall": round(wall, 3), "cpu": round(cpu, 3), "peak": usage.ru_maxrss * 1024, "others": round(others, 2), "failure": why}


def busy_seconds():
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def warm(path):
    """Every engine finds the input in the page cache, or, where it cannot fit, none does."""
    with open(path, "rb", buffering=0) as file:
        if fits_in_cache(path):
            chunk = bytearray(1 << 22)
            while file.readinto(chunk):
                pass
        else:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fits_in_cache(path):
    return os.path.getsize(path) < MEMORY * 0.5


def flush(folder):
    """Nobody's run pays for writing back what somebody else wrote."""
    for path in Path(folder).rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())


def machine(cores):
    models = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(), "cores used": len(cores),
            "memory GiB": round(MEMORY / 2**30, 1), "kernel": f"{platform.system()} {platform.release()}",
            "date": time.strftime("%Y-%m-%d"), "python": platform.python_version()}
