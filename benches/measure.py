#!/usr/bin/env python3
"""Measures banmap's release binary and prints a table; every figure stands beside a peer's from the same run.

    cargo build --release
    python3 benches/measure.py throughput      # replay of a million lines beside grep (and fail2ban-regex, --fail2ban)
    python3 benches/measure.py speed           # many filters at once, a log that is all attack, other formats, a large file
    python3 benches/measure.py fail2ban        # fail2ban's own web filters beside fail2ban-regex on the same filters
    python3 benches/measure.py catch-up        # how soon a live file's ban is decided while a large backlog is read
    python3 benches/measure.py latency         # last line appended -> map in place; -> nginx answers 444
    python3 benches/measure.py bans            # 100,000 bans: commit, restart, memory; idle CPU
    python3 benches/measure.py flood           # every line of another forged address: memory while it lasts, and how far behind

Everything happens in a temporary directory and on loopback; what is started here is ended here. Needs python3; `latency`
also nginx; `speed` compares with grep and, where it is installed, ripgrep. CPU seconds are user + system of the process; memory is its peak resident set (VmHWM).
"""
import argparse
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BANMAP = os.path.join(HERE, "..", "target", "release", "banmap")
PATTERN = r'"(GET|POST) /(wp-login|xmlrpc)\.php.*" (401|403|200)'
JAIL = """
[jail.wordpress]
filter = "wordpress"
maxretry = 5
findtime = "10m"
bantime = "%s"
[filter.wordpress]
description = "the rule that all engines are measured with"
failregex = ['^<HOST> -.*"(GET|POST) /(wp-login|xmlrpc)\\.php.*" (401|403|200)']
"""


def run(command, stdin=None):
    """Runs a command to its end: its output, wall and CPU seconds, peak resident kilobytes, exit code."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=watch_peak, args=(child.pid, peak))
    watcher.start()
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    return {"output": output, "wall": time.perf_counter() - began, "cpu": usage.ru_utime + usage.ru_stime,
            "peak": peak[0], "exit": child.returncode}


def watch_peak(pid, peak):
    while True:
        value = memory(pid)
        if value is None:
            return
        peak[0] = max(peak[0], value)
        time.sleep(0.002)


def memory(pid, key="VmHWM"):
    try:
        with open(f"/proc/{pid}/status") as status:
            return next((int(line.split()[1]) for line in status if line.startswith(key + ":")), None)
    except OSError:
        return None


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write(path, text):
    with open(path, "w") as out:
        out.write(text)
    return path


def fsync_pair(folder):
    """What the durable replacement of a small file costs on this disk: fsync of the file and of the directory, seconds."""
    times = []
    for n in range(30):
        path = os.path.join(folder, f"pair{n}")
        with open(path, "w") as out:
            out.write("x" * 4096)
            out.flush()
            began = time.perf_counter()
            os.fsync(out.fileno())
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        times.append(time.perf_counter() - began)
        os.close(directory)
        os.unlink(path)
    return statistics.median(times)


# --- throughput -------------------------------------------------------------------------------------------------------

def throughput(options):
    with tempfile.TemporaryDirectory() as folder:
        log, truth = options.log, options.truth
        if not log:
            log, truth = os.path.join(folder, "access.log"), os.path.join(folder, "truth.json")
            subprocess.run([sys.executable, os.path.join(HERE, "access_log.py"), log, "--truth", truth,
                            "--lines", str(options.lines)], check=True)
        config = write(os.path.join(folder, "banmap.toml"), JAIL % "1h" + f'[source.site]\npath = "{log}"\n')
        lines = lines_of(log)
        engines = [("banmap replay", [BANMAP, "-c", config, "replay", "--json", log]),
                   ("grep -cE, same pattern", ["grep", "-cE", PATTERN, log]),
                   ("grep -cF, one literal", ["grep", "-cF", "wp-login", log])]
        if options.fail2ban:
            engines.append(("fail2ban-regex", fail2ban_command(folder, log)))
        print(f"{lines} lines, {os.path.getsize(log)} bytes; median of {options.runs} runs each, one after another\n")
        print(f"{'engine':26} {'CPU s':>8} {'lines/CPU s':>12} {'peak MB':>8}")
        found = None
        for name, command in engines:
            runs = [run(command) for _ in range(1 if "fail2ban" in name else options.runs)]
            cpu = statistics.median(r["cpu"] for r in runs)
            peak = max(r["peak"] for r in runs) / 1024
            print(f"{name:26} {cpu:8.3f} {lines / cpu:12,.0f} {peak:8.1f}")
            found = found or runs[0]["output"]
        if truth:
            compare(found, truth)


def iter_file(path):
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            yield chunk


def grouped(address):
    ip = ipaddress.ip_address(address)
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network(f"{ip}/64", strict=False))


def compare(output, truth):
    with open(truth) as f:
        expected = {grouped(a) for a in json.load(f)["banned"]}
    events = [json.loads(line) for line in output.splitlines()]
    found = {e["address"] for e in events if e["event"] == "ban"}
    print(f"\naddresses to ban {len(expected)}, banned {len(found)}, "
          f"missing {len(expected - found)}, wrong {len(found - expected)}")


def fail2ban_command(folder, log):
    pattern = write(os.path.join(folder, "bench.conf"),
                    "[Definition]\nfailregex = ^<HOST> -.*\"(GET|POST) /(wp-login|xmlrpc)\\.php.*\" (401|403|200)\n"
                    "datepattern = ^[^\\[]*\\[({DATE})\n              {^LN-BEG}\n")
    return ["fail2ban-regex", "--usedns", "no", log, pattern]


# --- speed ------------------------------------------------------------------------------------------------------------

class Row:
    """One measurement: banmap's filters on a log, and the patterns that grep and ripgrep get."""

    def __init__(self, what, log, config, patterns=None):
        self.what, self.log, self.config, self.patterns = what, log, config, patterns
        self.runs = {"banmap": [], "rg": [], "grep": []}

    def commands(self, folder):
        """What is run in turn; where no patterns say the same there is nothing to compare with."""
        yield "banmap", [BANMAP, "-c", self.config, "replay", "--json", self.log]
        if self.patterns:
            name = os.path.join(folder, f"patterns{len(self.patterns)}")
            bare = write(name + ".rg", "".join(p.replace("<HOST>", r"\S+") + "\n" for p in self.patterns))
            extended = write(name + ".grep", "".join(ere(p) + "\n" for p in self.patterns))
            if shutil.which("rg"):
                yield "rg", ["rg", "-j1", "-c", "-f", bare, self.log]
            yield "grep", ["env", "LC_ALL=C", "grep", "-cE", "-f", extended, self.log]

    def line(self):
        runs = self.runs["banmap"]
        summary = summary_of(runs[0])
        if not summary or summary["parsed"] <= summary["unparsed"]:
            return f"{self.what:34} this build does not read it"
        speed = lambda name: summary["lines"] / statistics.median(run["cpu"] for run in self.runs[name])
        cells = [f"{self.what:34} {speed('banmap'):11,.0f} {max(run['peak'] for run in runs) / 1024:8.1f}"]
        for name in ("rg", "grep"):
            if self.runs[name]:
                cells.append(f"{speed(name):11,.0f} {speed('banmap') / speed(name):6.1f}")
            else:
                cells.append(f"{'not installed' if self.patterns and not shutil.which(name) else '-':>18}")
        found = [int(self.runs[name][0]["output"]) for name in ("rg", "grep") if self.runs[name]]
        return "  ".join(cells) + f"   {summary['offences']:,} offences" + "".join(f", {n:,}" for n in found)


def summary_of(run):
    """The last line of a replay; nothing where it failed."""
    lines = run["output"].splitlines()
    return json.loads(lines[-1]) if run["exit"] == 0 and lines else None


def ere(pattern):
    """A raw pattern as grep -E reads it, which has no groups without a number and no flags: either case is written out."""
    any_case = pattern.startswith("(?i)")
    text = pattern.removeprefix("(?i)").replace("(?:", "(").replace("<HOST>", "[^[:space:]]+").replace(r"\S", "[^[:space:]]")
    fold = lambda part: f"[{part.lower()}{part.upper()}]" if any_case and part.isalpha() else part
    return "".join(fold(part) for part in re.split(r"(\[\^\[:space:\]\]|\\.|\[\^?\]?[^]]*\]|[A-Za-z])", text))


def raw_filters():
    with open(os.path.join(HERE, "raw_filters.txt")) as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]


def raw_config(filters):
    jails = ", ".join(f'"{name}"' for name, _ in filters)
    tables = "".join(f"[filter.{name}]\ndescription = 'measured'\nfailregex = ['''{pattern}''']\n" for name, pattern in filters)
    return f"jails = [{jails}]\n{tables}"


def shipped_names():
    folder = os.path.join(HERE, "..", "templates", "filters")
    text = lambda name: open(os.path.join(folder, name)).read()
    # A filter that needs a `where` of the operator's is none by itself.
    whole = [name for name in os.listdir(folder) if name.endswith(".toml") and "\nneeds = " not in text(name)]
    return sorted(name.removesuffix(".toml") for name in whole)


def speed(options):
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        rows = speed_rows(folder, options)
        print(f"lines per CPU second, median of {options.runs} runs in turn; peak resident memory in MB; each log has "
              f"{options.lines:,} lines\nbut the large one; what was found: offences, and the lines that rg and grep count\n")
        print(f"{'':34} {'banmap':>11} {'peak MB':>8}  {'rg -c':>11} {'ratio':>6}  {'grep -cE':>11} {'ratio':>6}")
        for row in rows:
            for _ in range(options.runs):
                for name, command in row.commands(folder):
                    row.runs[name].append(run(command))
            print(row.line(), flush=True)


def speed_rows(folder, options):
    filters, shipped = raw_filters(), shipped_names()
    one = write(os.path.join(folder, "one.toml"), raw_config(filters[:1]))
    many = write(os.path.join(folder, "many.toml"), raw_config(filters))
    every = write(os.path.join(folder, "every.toml"), f"jails = {json.dumps(shipped)}\n")
    patterns = [pattern for _, pattern in filters]
    log = options.log or made(folder, options, "mixed")
    guesses = made(folder, options, "guesses", "--attacks", "1", "--habits", "guess,hammer")
    probes = made(folder, options, "probes", "--attacks", "1", "--habits", "hammer,look")
    rows = [
        Row("1 raw filter", log, one, patterns[:1]),
        Row(f"{len(filters)} raw filters", log, many, patterns),
        Row(f"{len(shipped)} shipped filters", log, every),
        Row("all attack, 1 raw filter", guesses, one, patterns[:1]),
        Row(f"all attack, {len(filters)} raw filters", guesses, many, patterns),
        Row(f"all attack, {len(shipped)} shipped filters", probes, every),
    ]
    for name in filter(None, options.formats.split(",")):
        rows.append(Row(f"{name}, {len(shipped)} shipped filters", made(folder, options, name, "--format", name), every))
    if options.big:
        rows.append(Row(f"{len(filters)} raw filters, {options.big:g} GB", repeated(folder, log, options.big), many))
    return rows


def made(folder, options, name, *more):
    path = os.path.join(folder, name + ".log")
    command = [sys.executable, os.path.join(HERE, "access_log.py"), path, "--lines", str(options.lines), *more]
    subprocess.run(command, check=True)
    return path


def repeated(folder, log, gigabytes):
    """A file of that size: the log again and again."""
    path = os.path.join(folder, "big.log")
    with open(path, "wb") as out:
        while out.tell() < gigabytes * 1e9:
            for chunk in iter_file(log):
                out.write(chunk)
    return path


def lines_of(path):
    return sum(chunk.count(b"\n") for chunk in iter_file(path))


# --- fail2ban's own filters --------------------------------------------------------------------------------------------

WEB_FILTERS = ("apache-badbots", "nginx-botsearch", "nginx-bad-request", "php-url-fopen", "apache-fakegooglebot")
# Needs look-ahead; its literals are rare in the log.
LOOKS_AROUND = ('[Definition]\nfailregex = ^<HOST> -.*"(?:GET|POST) /(?!blog/)[^" ]*phpmyadmin(?!/themes)[^"]*" 40[34]\n'
                'datepattern = ^[^\\[]*\\[({DATE})\n              {^LN-BEG}\n')


def fail2ban(options):
    """fail2ban-regex takes one filter at a time, so its CPU seconds are the sum over all; less what it costs to start it."""
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        log = options.log or made(folder, options, "access")
        part = os.path.join(folder, "part.log")
        with open(log, "rb") as whole, open(part, "wb") as out:
            out.writelines(line for _, line in zip(range(options.theirs), whole))
        theirs = os.path.join(options.root, "etc/fail2ban/filter.d")
        own = write(os.path.join(folder, "looks-around.conf"), LOOKS_AROUND)
        rows = [(f"{len(WEB_FILTERS)} of fail2ban's web filters", theirs, WEB_FILTERS),
                ("look-ahead, rare literals", folder, ("looks-around",))]
        rows += [(name, theirs, (name,)) for name in WEB_FILTERS if options.each]
        print(f"lines per CPU second, median of {options.runs} runs in turn: banmap on {lines_of(log):,} lines, fail2ban-regex on the "
              f"first {lines_of(part):,};\nwhat was found in those: offences, and what fail2ban counts\n")
        print(f"{'':34} {'banmap':>11}  {'fail2ban':>9} {'ratio':>6}")
        for what, filters, names in rows:
            config = write(os.path.join(folder, "fail2ban.toml"), f"jails = {json.dumps(names)}\n"
                           f"[daemon]\nfilter_path = [{json.dumps(filters)}]\n[source.site]\npath = {json.dumps(log)}\n")
            ours = lambda log: run([BANMAP, "-c", config, "replay", "--source", "site", "--json", log])
            asked = [os.path.join(filters, name + ".conf") for name in names]
            cpu, theirs_cpu = [], []
            for _ in range(options.runs):
                cpu.append(ours(log)["cpu"])
                theirs_cpu.append([fail2ban_regex(options, part, name) for name in asked])
            matched = sum(matches for _, matches in theirs_cpu[0])
            # Ours is fast enough that what it costs to start it hardly counts.
            speed = lines_of(log) / statistics.median(cpu)
            peer = lines_of(part) / statistics.median(sum(cost for cost, _ in runs) for runs in theirs_cpu)
            offences = summary_of(ours(part))["offences"]
            print(f"{what:34} {speed:11,.0f}  {peer:9,.0f} {speed / peer:6.0f}   {offences:,} offences, {matched:,}", flush=True)


def fail2ban_regex(options, log, filter_file):
    """CPU seconds of fail2ban-regex for this log's lines alone, and how many it matched."""
    command = ["env", "TZ=UTC", "LC_ALL=C.UTF-8", "PYTHONPATH=" + os.path.join(options.root, "usr/lib/python3/dist-packages"), sys.executable,
               os.path.join(options.root, "usr/bin/fail2ban-regex"), "-c", os.path.join(options.root, "etc/fail2ban"),
               "--usedns", "no", "--print-no-missed"]
    start, whole = run([*command, os.devnull, filter_file]), run([*command, log, filter_file])
    found = re.search(rb", (\d+) matched", whole["output"])
    if not found:
        sys.exit("fail2ban-regex does not run: " + whole["output"].decode(errors="replace")[-500:])
    return whole["cpu"] - start["cpu"], int(found[1])


# --- the daemon -------------------------------------------------------------------------------------------------------

class Daemon:
    """The release daemon on a configuration of its own, ended with the block."""

    def __init__(self, folder, outputs, sources=None, extra=""):
        self.folder = folder
        self.log = os.path.join(folder, "access.log")
        open(self.log, "a").close()
        sources = sources or f'[source.site]\npath = "{self.log}"\n'
        text = (f'[daemon]\nstate = "{folder}/state"\nsocket = "{folder}/banmap.sock"\n' + sources + JAIL % "forever"
                + outputs + extra)
        self.config = write(os.path.join(folder, "banmap.toml"), text)

    def __enter__(self):
        self.started = time.perf_counter()
        self.stderr = open(os.path.join(self.folder, "stderr"), "ab")
        self.process = subprocess.Popen([BANMAP, "-c", self.config, "run"], stderr=self.stderr)
        until(lambda: self.cli("ping").returncode == 0, 30, "the daemon answers")
        self.ready = time.perf_counter() - self.started
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.stderr.close()

    def cli(self, *words):
        return subprocess.run([BANMAP, "-c", self.config, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def attack(self, address, path="/wp-login.php"):
        stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        line = f'{address} - - [{stamp}] "POST {path} HTTP/1.1" 401 548 "-" "Mozilla/5.0"\n'
        with open(self.log, "a") as log:
            log.write(line * 5)


def until(condition, seconds, what, pause=0.005):
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            sys.exit(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)


def contains(path, text):
    try:
        with open(path) as f:
            return text in f.read()
    except OSError:
        return False


def spread(times):
    ordered = sorted(t * 1000 for t in times)
    return f"median {statistics.median(ordered):7.2f} ms   p95 {ordered[int(len(ordered) * 0.95) - 1]:7.2f} ms   n {len(ordered)}"


def latency(options):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        pair = fsync_pair(folder)
        print(f"fsync pair (file + directory) on this disk: {pair * 1000:.2f} ms median\n")
        map_file = os.path.join(folder, "apache-banned")
        with Daemon(folder, f'[output.apache]\nkind = "apache-rewritemap"\npath = "{map_file}"\n') as daemon:
            times = []
            for n in range(options.trials):
                time.sleep(0.12)
                address = f"203.0.{n // 250}.{n % 250 + 1}"
                daemon.attack(address)
                began = time.perf_counter()
                until(lambda: contains(map_file, address), 10, "the map has the ban", 0.0002)
                times.append(time.perf_counter() - began)
            print(f"line appended -> Apache map in place    {spread(times)}")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        nginx_latency(folder, options)


def nginx_latency(folder, options):
    port = free_port()
    geo = os.path.join(folder, "geo.conf")
    user = "user www-data;" if os.geteuid() == 0 else ""
    write(os.path.join(folder, "nginx.conf"), f"""
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
  {''.join(f'{t}_temp_path {folder}/{t};' for t in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))}
  set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; access_log off;
  include {geo};
  server {{ listen 127.0.0.1:{port}; if ($bad_user) {{ return 444; }} return 200 ok; }}
}}
""")
    output = (f'[output.nginx]\nkind = "nginx-geo"\npath = "{geo}"\nmin_interval = "10ms"\n'
              f'reload = {{ pid_file = "{folder}/nginx.pid", signal = "HUP" }}\nerror_log = "{folder}/error.log"\nvalidate = "none"\n')
    with Daemon(folder, output) as daemon:
        server = subprocess.Popen([shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", folder, "-c", f"{folder}/nginx.conf"],
                                  stderr=subprocess.DEVNULL)
        try:
            until(lambda: answer(port, "198.51.100.1") == 200, 10, "nginx answers")
            until(lambda: daemon.cli("ban", "198.51.100.2").returncode == 0, 30, "nginx has the first list")
            times = []
            for n in range(options.trials):
                time.sleep(1.0)
                address = f"203.1.{n // 250}.{n % 250 + 1}"
                daemon.attack(address)
                began = time.perf_counter()
                until(lambda: answer(port, address) is None, 20, "nginx refuses the client", 0.001)
                times.append(time.perf_counter() - began)
            print(f"line appended -> nginx answers 444      {spread(times)}")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(10)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answer(port, client):
    """The status that `client` gets; None where the connection is closed without an answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nConnection: close\r\n\r\n".encode())
            head = s.recv(64)
            return int(head.split()[1]) if head else None
    except ConnectionResetError:
        return None
    except OSError:
        return 0


def bans(options):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        pair = fsync_pair(folder)
        geo, banned = os.path.join(folder, "geo.conf"), os.path.join(folder, "apache-banned")
        outputs = (f'[output.nginx]\nkind = "nginx-geo"\npath = "{geo}"\nreload = "none"\n'
                   f'[output.apache]\nkind = "apache-rewritemap"\npath = "{banned}"\n')
        many = write(os.path.join(folder, "many"), "".join(f"{ipaddress.ip_address(0x0B000000 + 97 * n)}\n" for n in range(options.count)))
        with Daemon(folder, outputs) as daemon:
            began = time.perf_counter()
            done = daemon.cli("ban", "-f", many, "--for", "30d")
            print(f"{options.count} bans by hand, one command, until both files are in place: {time.perf_counter() - began:.3f} s (exit {done.returncode})")
            before = cpu_of(daemon.process.pid)
            daemon.cli("ban", "203.0.113.250")
            one_more = cpu_of(daemon.process.pid) - before
            rss = memory(daemon.process.pid, "VmRSS") / 1024
            print(f"one ban more, both files of {options.count} entries: {one_more:.3f} CPU s; fsync pair {pair * 1000:.2f} ms; resident {rss:.1f} MB")
        with Daemon(folder, outputs) as daemon:
            print(f"restart with {options.count} bans in the database: ready after {daemon.ready:.3f} s")
            time.sleep(2)
            before = cpu_of(daemon.process.pid)
            time.sleep(options.idle)
            print(f"idle: {(cpu_of(daemon.process.pid) - before) / options.idle * 100:.2f} % of one CPU over {options.idle} s; "
                  f"resident {memory(daemon.process.pid, 'VmRSS') / 1024:.1f} MB")


def catch_up(options):
    """A backlog, a live file of the same source and one of another: how soon a ban is decided that a live file tells of."""
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        options.lines = 1_000_000
        backlog, live, other = (os.path.join(folder, "site", "a.log"), os.path.join(folder, "site", "b.log"),
                                os.path.join(folder, "other.log"))
        os.mkdir(os.path.dirname(backlog))
        os.rename(repeated(folder, made(folder, options, "mixed"), options.size), backlog)
        for path in (live, other):
            open(path, "w").close()
        sources = (f'[source.site]\npath = "{folder}/site/*.log"\nread = "beginning"\n'
                   f'[source.other]\npath = "{other}"\nread = "beginning"\n')
        jails = "".join(f"[jail.{name}]\n" for name in shipped_names())
        with Daemon(folder, f'[output.list]\nkind = "list"\npath = "{folder}/list"\n', sources, jails) as daemon:
            times, began = {live: [], other: []}, time.perf_counter()
            while is_behind(daemon, backlog):
                for path in times:
                    times[path].append(until_banned(daemon, path, sum(map(len, times.values()))))
            print(f"{os.path.getsize(backlog) / 1e9:.1f} GB, {lines_of(backlog):,} lines, all shipped filters: read after "
                  f"{time.perf_counter() - began:.2f} s, {cpu_of(daemon.process.pid):.2f} CPU s; "
                  f"peak resident {memory(daemon.process.pid) / 1024:.1f} MB")
            for path, what in ((live, "the same source"), (other, "another source")):
                print(f"meanwhile: last line of a live file of {what:15} -> banned   {spread(times[path])}")


FLOOD = """
[jail.flood]
maxretry = %d
storm = "%s"
bantime = "1h"
[filter.flood]
description = "the rule that is flooded"
rule = [{ method = "POST", path = "^/flood$" }]
"""


def flood(options):
    """A log that grows at full speed, each line of another address: at each tenth memory, what is unread, what is unstored."""
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        output = f'[output.list]\nkind = "list"\npath = "{folder}/list"\n'
        with Daemon(folder, output, extra=FLOOD % (options.maxretry, options.storm)) as daemon:
            print(f"{options.lines:,} lines, maxretry {options.maxretry}, storm {options.storm}: resident "
                  f"{memory(daemon.process.pid, 'VmRSS') / 1024:.1f} MB before")
            print(f"{'written':>11} {'after s':>8} {'RSS MB':>8} {'read':>11} {'bans':>9} {'stored':>9} {'state MB':>9}")
            began, block = time.perf_counter(), 1000
            for first in range(0, options.lines, block):
                pour(daemon.log, first, block)
                if (first + block) % (options.lines // 10) < block:
                    flood_row(daemon, folder, first + block, began)
            until(lambda: flood_state(daemon)[0] >= options.lines, 600, "all is read", 0.05)
            read = time.perf_counter() - began
            until(lambda: stored(folder) == flood_state(daemon)[1], 600, "all is stored", 0.2)
            kept = time.perf_counter() - began
            time.sleep(3)
            flood_row(daemon, folder, options.lines, began)
            print(f"all read after {read:.1f} s, all stored after {kept:.1f} s, {cpu_of(daemon.process.pid):.1f} CPU s; "
                  f"peak resident {memory(daemon.process.pid) / 1024:.1f} MB")


def pour(path, first, number):
    """Appends so many lines, each of another address, with one write."""
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    octets = lambda n: f"{11 + (n >> 24)}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
    with open(path, "a") as log:
        log.write("".join(f'{octets(n)} - - [{stamp}] "POST /flood HTTP/1.1" 401 548 "-" "Mozilla/5.0"\n'
                          for n in range(first, first + number)))


def flood_state(daemon):
    """Lines that were read, bans in force."""
    status = json.loads(daemon.cli("status", "--json").stdout)
    lines = sum(file["lines"] for source in status["sources"].values() for file in source["files"])
    return lines, status["jails"]["flood"]["bans_current"]


def stored(folder):
    with sqlite3.connect(f"file:{folder}/state/banmap.sqlite3?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM bans").fetchone()[0]


def flood_row(daemon, folder, written, began):
    lines, bans_now = flood_state(daemon)
    size = sum(os.path.getsize(f"{folder}/state/{name}") for name in os.listdir(f"{folder}/state")) / 1e6
    print(f"{written:11,} {time.perf_counter() - began:8.1f} {memory(daemon.process.pid, 'VmRSS') / 1024:8.1f} {lines:11,} "
          f"{bans_now:9,} {stored(folder):9,} {size:9.1f}", flush=True)


def is_behind(daemon, path):
    """Whether the daemon has not yet read that file to its end."""
    answer = daemon.cli("status", "--json").stdout
    files = [file for source in json.loads(answer)["sources"].values() for file in source["files"]] if answer else []
    return not any(file["path"] == path and file["state"] == "live" for file in files)


def until_banned(daemon, path, number):
    daemon.log = path
    address = f"203.2.{number // 250}.{number % 250 + 1}"
    daemon.attack(address)
    began = time.perf_counter()
    until(lambda: daemon.cli("why", address).returncode == 0, 120, "the ban is decided", 0.001)
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("throughput")
    verb.add_argument("--log", help="an existing log instead of a generated one")
    verb.add_argument("--truth", help="JSON with `banned`, for --log")
    verb.add_argument("--lines", type=int, default=1_000_000)
    verb.add_argument("--runs", type=int, default=7)
    verb.add_argument("--fail2ban", action="store_true", help="also run fail2ban-regex (some 15 CPU seconds)")
    verb = verbs.add_parser("speed")
    verb.add_argument("--log", help="an existing combined log for the rows that are not all attack")
    verb.add_argument("--lines", type=int, default=1_000_000)
    verb.add_argument("--runs", type=int, default=3)
    verb.add_argument("--formats", default="json,haproxy,docker", help="other formats of the generator")
    verb.add_argument("--big", type=float, default=2, metavar="GB", help="the size of the large file; 0: none")
    verb.add_argument("--dir", help="where the temporary directory is made")
    verb = verbs.add_parser("fail2ban")
    verb.add_argument("--log", help="an existing combined log instead of a generated one")
    verb.add_argument("--lines", type=int, default=1_000_000)
    verb.add_argument("--theirs", type=int, default=100_000, help="so many of the lines are read by fail2ban-regex, too")
    verb.add_argument("--runs", type=int, default=3)
    verb.add_argument("--root", default="/", help="where fail2ban's package is installed or unpacked")
    verb.add_argument("--each", action="store_true", help="also each filter by itself")
    verb.add_argument("--dir", help="where the temporary directory is made")
    verb = verbs.add_parser("catch-up")
    verb.add_argument("--size", type=float, default=1, metavar="GB", help="of the backlog")
    verb.add_argument("--dir", help="where the temporary directory is made")
    verb = verbs.add_parser("latency")
    verb.add_argument("--trials", type=int, default=30)
    verb = verbs.add_parser("bans")
    verb.add_argument("--count", type=int, default=100_000)
    verb.add_argument("--idle", type=int, default=20)
    verb = verbs.add_parser("flood")
    verb.add_argument("--lines", type=int, default=1_000_000)
    verb.add_argument("--maxretry", type=int, default=5)
    verb.add_argument("--storm", default="warn", help="`storm` of the jail")
    verb.add_argument("--dir", help="where the temporary directory is made")
    options = parser.parse_args()
    if not os.path.exists(BANMAP):
        sys.exit("build it first: cargo build --release")
    verbs = {"throughput": throughput, "speed": speed, "catch-up": catch_up, "latency": latency, "bans": bans,
             "flood": flood, "fail2ban": fail2ban}
    verbs[options.verb](options)


if __name__ == "__main__":
    main()
