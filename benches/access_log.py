#!/usr/bin/env python3
"""Writes a made-up access log, and what a perfect judge would make of it.

The same arguments give the same bytes. Ordinary visitors make most lines; a few dozen attackers are active at any
moment, each with one habit (guessing at wp-login.php, hammering xmlrpc.php, looking for secrets) until it has had
enough. `--truth` writes, as JSON, the addresses with five lines of
    "(GET|POST) /(wp-login|xmlrpc).php…" answered 401, 403 or 200
inside ten minutes, counted naively: what the benchmark's one jail must find, no more and no fewer.

`--format` writes the same requests as nginx's `combined`; as nginx's JSON (`escape=json`, a key for each variable); as HAProxy's
`httplog` behind a syslog header; or as Docker's json-file driver wraps `combined`.
"""
import argparse
import collections
import json
import random
import time

FINDTIME, MAXRETRY = 600, 5
BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
]
TOOLS = ["python-requests/2.32.3", "curl/8.5.0", "Go-http-client/2.0", "-", BROWSERS[0]]
PAGES = ["/", "/blog/", "/blog/2026/05/spring/", "/about/", "/shop/?page=2", "/product/kettle/", "/search?q=tea+pot", "/feed/",
         "/api/v1/items?limit=20", "/wp-admin/admin-ajax.php", "/account/orders/1182", "/contact/"]
ASSETS = ["/assets/site.9f31.css", "/assets/site.77ab.js", "/favicon.ico", "/media/2026/04/hero-1600.webp", "/fonts/text.woff2",
          "/wp-includes/js/jquery/jquery.min.js?ver=3.7.1", "/wp-content/themes/plain/style.css?ver=2.4"]
SECRETS = ["/.env", "/.git/config", "/.aws/credentials", "/backup.sql", "/phpmyadmin/index.php", "/server-status", "/wp-config.php~",
           "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/actuator/env", "/.vscode/sftp.json"]
REFERERS = ["https://www.example.com/", "https://www.example.com/blog/", "https://www.google.com/", "-"]


class Addresses:
    """Addresses that were not handed out before; one in twenty is IPv6."""

    def __init__(self, rng):
        self.rng, self.given = rng, set()

    def fresh(self):
        while True:
            address = self.v6() if self.rng.random() < 0.05 else self.v4()
            if address not in self.given:
                self.given.add(address)
                return address

    def v4(self):
        first = self.rng.choice([n for n in range(1, 224) if n not in (10, 127, 172, 192)])
        return f"{first}.{self.rng.randrange(256)}.{self.rng.randrange(256)}.{self.rng.randrange(1, 255)}"

    def v6(self):
        site = self.rng.choice(("2a01:4f8", "2001:db8", "2600:1f18", "2a02:26f0"))
        tail = ":".join(f"{self.rng.randrange(4096, 65536):x}" for _ in range(6))
        return f"{site}:{tail}"


def attack(rng, habit):
    """One attacker's next request: method, target, status, size."""
    if habit == "guess":
        method = "POST" if rng.random() < 0.85 else "GET"
        return method, "/wp-login.php", rng.choice((200, 200, 401, 403)), 7891
    if habit == "hammer":
        return "POST", "/xmlrpc.php", rng.choice((200, 403, 403)), 413
    return "GET", rng.choice(SECRETS), 404, 548


def visit(rng):
    """An ordinary visitor's next request."""
    dice = rng.random()
    if dice < 0.62:
        status = 304 if rng.random() < 0.2 else 200
        return "GET", rng.choice(ASSETS), status, 0 if status == 304 else rng.randrange(2000, 90000)
    if dice < 0.998:
        return "GET", rng.choice(PAGES), rng.choices((200, 301, 302, 404, 499, 502), (88, 3, 3, 4, 1, 1))[0], rng.randrange(160, 40000)
    return "POST", "/wp-login.php", 302, 5


def combined(line):
    return (f'{line["address"]} - - [{line["stamp"]}] "{line["method"]} {line["target"]} {line["protocol"]}" {line["status"]} {line["size"]} '
            f'"{line["referer"]}" "{line["agent"]}"\n')


def nginx_json(line):
    """What is `-` in `combined` is empty in JSON."""
    request = f'{line["method"]} {line["target"]} {line["protocol"]}'
    bare = lambda text: "" if text == "-" else text
    return (f'{{"time_iso8601":"{line["iso"]}+00:00","remote_addr":"{line["address"]}","remote_user":"","request":{json.dumps(request)},'
            f'"status":{line["status"]},"body_bytes_sent":{line["size"]},"http_referer":{json.dumps(bare(line["referer"]))},'
            f'"http_user_agent":{json.dumps(bare(line["agent"]))}}}\n')


def haproxy(line):
    day, rest = line["stamp"].split("/", 1)
    month, clock = rest[:3], line["stamp"][12:20]
    return (f'{month} {int(day):2} {clock} lb haproxy[1811]: {line["address"]}:{40000 + line["size"] % 20000} [{line["stamp"][:20]}.000] '
            f'web~ site/app1 0/0/1/12/13 {line["status"]} {line["size"]} - - ---- 12/10/2/1/0 0/0 '
            f'"{line["method"]} {line["target"]} {line["protocol"]}"\n')


def docker(line):
    return f'{{"log":{json.dumps(combined(line))},"stream":"stdout","time":"{line["iso"]}.000000000Z"}}\n'


FORMATS = {"combined": combined, "json": nginx_json, "haproxy": haproxy, "docker": docker}
HABITS = {"guess": 9, "hammer": 5, "look": 6}


def generate(options, write):
    rng = random.Random(options.seed)
    addresses = Addresses(rng)
    visitors = [(addresses.fresh(), rng.choice(BROWSERS)) for _ in range(options.clients)]
    regulars = visitors[: max(1, len(visitors) // 10)]
    habits = options.habits.split(",")
    weights = [HABITS[habit] for habit in habits]
    written = FORMATS[options.format]
    new_attacker = lambda: [addresses.fresh(), rng.choices(habits, weights)[0], 1 + int(60 * rng.random() ** 2), rng.choice(TOOLS)]
    attackers = [new_attacker() for _ in range(40)]
    recent, banned, offences = collections.defaultdict(collections.deque), set(), 0
    now, second, stamp, iso = float(options.start), None, "", ""
    for _ in range(options.lines):
        now += rng.expovariate(options.rate)
        if int(now) != second:
            second = int(now)
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))
            iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        if rng.random() < options.attacks:
            slot = rng.randrange(len(attackers))
            address, habit, _, agent = attackers[slot]
            attackers[slot][2] -= 1
            if attackers[slot][2] <= 0:
                attackers[slot] = new_attacker()
            method, target, status, size = attack(rng, habit)
            referer, protocol = "-", "HTTP/1.1"
            if habit != "look":
                offences += 1
                times = recent[address]
                times.append(second)
                while times[0] < second - FINDTIME:
                    times.popleft()
                if len(times) >= MAXRETRY:
                    banned.add(address)
        else:
            address, agent = rng.choice(regulars if rng.random() < 0.5 else visitors)
            method, target, status, size = visit(rng)
            referer, protocol = rng.choice(REFERERS), "HTTP/2.0" if rng.random() < 0.6 else "HTTP/1.1"
        write(written({"address": address, "stamp": stamp, "iso": iso, "method": method, "target": target, "protocol": protocol,
                       "status": status, "size": size, "referer": referer, "agent": agent}))
    return {"lines": options.lines, "offences": offences, "banned": sorted(banned)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="the log to write")
    parser.add_argument("--truth", help="also write what should be found, as JSON")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=1_767_225_600, help="time of the first line, seconds since 1970")
    parser.add_argument("--rate", type=float, default=200.0, help="lines a second of log time")
    parser.add_argument("--clients", type=int, default=48_000, help="ordinary visitors")
    parser.add_argument("--attacks", type=float, default=0.02, help="share of lines that attackers make")
    parser.add_argument("--habits", default="guess,hammer,look", help="what attackers do (with --attacks 1: what every line is)")
    parser.add_argument("--format", choices=sorted(FORMATS), default="combined")
    options = parser.parse_args()
    with open(options.out, "w", encoding="ascii", buffering=1 << 20) as out:
        truth = generate(options, out.write)
    if options.truth:
        with open(options.truth, "w", encoding="ascii") as out:
            json.dump(truth, out, indent=1)


if __name__ == "__main__":
    main()
