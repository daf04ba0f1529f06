# What the installed fail2ban finds in a log, by its own reading of a jail: one JSON object a line.
#
# Arguments: its configuration's directory, jail, log, seconds to spend, most hits to tell. Names are not looked up, programs not
# run, nothing is written.
import gzip
import json
import logging
import os
import signal
import sys

directory, jail, log, seconds, most = sys.argv[1:6]
logging.disable(logging.CRITICAL)


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")


def stop(kind, text):
    say(event="error", kind=kind, text=str(text))
    sys.stdout.flush()
    os._exit(0)


try:
    from fail2ban.client.jailreader import JailReader
    from fail2ban.server.filter import FileContainer, Filter
    from fail2ban.server.ipdns import DNSUtils, IPAddr
    from fail2ban.version import version
except ImportError as error:
    stop("missing", error)


class TimeUp(BaseException):
    pass


def time_up(*_):
    raise TimeUp


def as_address(text, use_dns):
    """As DNSUtils.textToIp, but a name stays a name."""
    plain = IPAddr.searchIP(text)
    if plain is not None and IPAddr(plain).isValid:
        return [IPAddr(plain)]
    return [IPAddr(text, IPAddr.CIDR_RAW)] if use_dns in ("yes", "warn") else []


def is_true(value):
    return str(value).lower() in ("1", "on", "true", "yes")


def read():
    """The filter of the jail, and its thresholds."""
    reader = JailReader(jail, force_enable=True, basedir=directory)
    reader.read()
    reader.getOptions()
    found, told = Filter(None), {"maxretry": 3, "findtime": 600, "ignoreself": True}
    found.checkFindTime = False
    for command in reader.convert(allow_no_files=True):
        if command[0] == "config-error":
            stop("config", command[1])
        if command[0] not in ("set", "multi-set") or command[1] != jail or len(command) < 4:
            continue
        what, value = command[2], command[3]
        if what in ("addfailregex", "addignoreregex"):
            add = found.addFailRegex if what == "addfailregex" else found.addIgnoreRegex
            for regex in value if command[0] == "multi-set" else command[3:]:
                add(regex)
        elif what == "usedns":
            found.setUseDns(value)
        elif what == "prefregex":
            found.prefRegex = value
        elif what == "maxlines":
            found.setMaxLines(int(value))
        elif what == "datepattern":
            found.setDatePattern(value)
        elif what == "logencoding":
            found.setLogEncoding(value)
        elif what == "logtimezone":
            found.setLogTimeZone(value)
        elif what == "addignoreip":
            for entry in command[3:]:
                if "/" in entry or IPAddr(entry).isValid:
                    found.addIgnoreIP(entry)
        elif what == "ignoreself":
            told[what] = is_true(value)
        elif what == "findtime":
            found.setFindTime(value)
            told[what] = found.getFindTime()
        elif what == "maxretry":
            told[what] = int(value)
    # Who is this host's own is told apart by who compares.
    found.ignoreSelf = False
    return found, told


def lines():
    with open(log, "rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    with (gzip.open if zipped else open)(log, "rb") as file:
        yield from enumerate(file, 1)


def run():
    found, told = read()
    say(event="begin", version=version, **told)
    seen, hits, why, ignored = 0, 0, None, []
    found.onIgnoreRegex = lambda *_: ignored.append(1)
    signal.signal(signal.SIGALRM, time_up)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    try:
        for number, line in lines():
            ignored.clear()
            text = FileContainer.decode_line(log, found.getLogEncoding(), line).rstrip("\r\n")
            matches = found.processLine(text)
            for match in matches:
                ip, time = match[1], match[2]
                hits += 1
                spared = ip is not None and ip.isValid and found.inIgnoreIPList(ip)
                named = ip is not None and not ip.isValid
                say(event="hit", line=number, id=str(ip), name=named, time=time, ignored=bool(spared))
            if ignored and not matches:
                hits += 1
                say(event="ignored", line=number)
            seen = number
            if hits >= int(most):
                why = "hits"
                break
    except TimeUp:
        why = "time"
    signal.setitimer(signal.ITIMER_REAL, 0)
    say(event="end", lines=seen, why=why)


DNSUtils.textToIp = staticmethod(as_address)
try:
    run()
except Exception as error:
    stop("failed", "%s: %s" % (type(error).__name__, error))
