"""Drives programs by other people that drive restic, once with the real restic and once with tresor, and compares.

    cargo xtask campaign clients

installs the clients (versions in requirements.txt) into an environment of its own and runs this file in it. Each
client is used unmodified, finds `restic` in PATH, and starts from the same files. What it prints and writes has to be
the same, but for ids, times, durations and sizes after encryption. Arguments: the real restic, tresor.
"""

import difflib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

# Not in a folder where others work: its times are part of what is backed up.
WORK = pathlib.Path.home() / ".cache/tresor-clients/work"
SITE = pathlib.Path(sys.prefix)


def prepare(program):
    """A fresh folder with a source, a password and `program` as restic in PATH; the environment to run clients in."""
    shutil.rmtree(WORK, ignore_errors=True)
    for folder in ("bin", "home", "src/sub"):
        (WORK / folder).mkdir(parents=True)
    (WORK / "bin/restic").symlink_to(program)
    (WORK / "password").write_text("secret\n")
    (WORK / "password").chmod(0o600)
    for number in range(20):
        (WORK / f"src/sub/{number}.txt").write_text(f"file {number}\n" * (number + 1))
    (WORK / "src/big").write_bytes(bytes(range(256)) * 8192)
    return {
        "PATH": f"{WORK}/bin:{SITE}/bin:/usr/bin:/bin",
        "HOME": str(WORK / "home"),
        "RESTIC_PASSWORD_FILE": str(WORK / "password"),
        "TRESOR_ALLOW_WEAK_PASSWORD": "1",
        "TZ": "UTC",
        "LANG": "C.UTF-8",
    }


def run(environment, *words, **more):
    """Runs a client; what it printed and how it ended."""
    done = subprocess.run(
        [str(word) for word in words], cwd=WORK, env=environment | more, capture_output=True, text=True, timeout=600
    )
    return f"$ {' '.join(map(str, words))}\n{done.stdout}{done.stderr}ended with {done.returncode}\n"


def library(environment):
    """resticpy: every call of the library that needs no network."""
    script = """
import json, os, restic
restic.repository, restic.password_file = "lib", os.environ["RESTIC_PASSWORD_FILE"]
def show(name, value): print(name, json.dumps(value, sort_keys=True, default=str))
show("version", restic.version())
show("init", restic.init())
show("backup", restic.backup(paths=["src"], tags=["a", "b"], host="h"))
open("src/new", "w").write("new")
show("second", restic.backup(paths=["src"], host="h", exclude_patterns=["*.txt"]))
show("unchanged", restic.backup(paths=["src"], host="h", exclude_patterns=["*.txt"], skip_if_unchanged=True))
show("dry", restic.backup(paths=["src"], dry_run=True))
show("snapshots", restic.snapshots(group_by=["host"]))
show("latest", restic.snapshots(snapshot_id="latest"))
show("find", restic.find("*.txt"))
for mode in ["restore-size", "files-by-contents", "blobs-per-file", "raw-data"]:
    show(mode, restic.stats(mode=mode))
show("config", restic.cat.config())
show("masterkey", sorted(restic.cat.masterkey()))
show("keys", [sorted(key) for key in restic.key.list()])
restic.key.add(new_password_file=os.environ["RESTIC_PASSWORD_FILE"])
show("keys", len(restic.key.list()))
show("locks", restic.list.locks())
show("restore", restic.restore(snapshot_id="latest", target_dir="out"))
show("restored", sorted(os.listdir("out/src")))
show("check", restic.check(read_data=True))
show("subset", restic.check(read_data_subset="50%"))
show("rewrite", restic.rewrite(exclude=["big"], snapshot_id="latest", forget=True))
show("unlock", restic.unlock())
show("generate", restic.generate(man_directory="home"))
restic.repository = "lib2"
show("init", restic.init(copy_chunker_params=True, from_repo="lib", from_password_file=restic.password_file))
show("copy", restic.copy(from_repo="lib", from_password_file=restic.password_file))
show("forget", restic.forget(keep_last=1, group_by=["host"]))
show("forget and prune", restic.forget(keep_last=1, group_by=[], prune=True))
show("left", len(restic.snapshots()))
show("check", restic.check())
try: restic.repository = "nowhere"; restic.snapshots()
except restic.errors.ResticFailedError as error: print(error)
"""
    return run(environment, "python", "-c", script)


def wrapper(environment):
    """runrestic: initialises, backs up, forgets, prunes, checks; its Prometheus metrics."""
    config = {
        "name": "test",
        "repositories": [str(WORK / "run")],
        "environment": {"RESTIC_PASSWORD_FILE": str(WORK / "password")},
        "backup": {"sources": [str(WORK / "src")], "exclude_patterns": ["1*.txt"]},
        "prune": {"keep-last": 1, "group-by": "host"},
        "check": {"checks": ["read-data"]},
        "metrics": {"prometheus": {"path": str(WORK / "metrics")}},
    }
    (WORK / "run.json").write_text(json.dumps(config))
    said = run(environment, "runrestic", "-c", "run.json", "init")
    said += run(environment, "runrestic", "-c", "run.json")
    (WORK / "src/more").write_text("more")
    said += run(environment, "runrestic", "-c", "run.json", "backup", "prune", "check", "stats")
    said += run(environment, "runrestic", "-c", "run.json", "unlock")
    return said + (WORK / "metrics").read_text()


def wrapper_by_config(environment):
    """crestic: flags from a configuration file."""
    config = f"[home]\nrepo: {WORK}/cre\n[home.backup]\nexclude: *.txt\n_arguments: src\n[home.forget]\nkeep-last: 1\n"
    (WORK / "crestic.cfg").write_text(config)
    more = {"CRESTIC_CONFIG_FILE": str(WORK / "crestic.cfg")}
    lines = [["init"], ["backup"], ["backup"], ["snapshots", "--json"], ["forget", "--prune"], ["check"], ["ls", "latest"]]
    return "".join(run(environment, "crestic", "home", *line, **more) for line in lines)


def drill(environment):
    """restverify: restores and compares with the source; proves a sample."""
    environment = environment | {"RESTIC_REPOSITORY": str(WORK / "drill")}
    said = run(environment, "restic", "init") + run(environment, "restic", "backup", WORK / "src", "--json")
    for line in (
        ["run", "-r", WORK / "drill", "-s", WORK / "src", "--json"],
        ["run", "-r", WORK / "drill", "-s", WORK / "src", "--strict"],
        ["prove", "-r", WORK / "drill", "--sample", "50", "--seed", "7", "--json"],
        ["report"],
        ["run", "-r", WORK / "nowhere", "--json"],
    ):
        said += run(environment, "restverify", *line)
    (WORK / "src/sub/3.txt").write_text("changed after the backup")
    return said + run(environment, "restverify", "run", "-r", WORK / "drill", "-s", WORK / "src", "--json")


def replica(environment):
    """restic-replica: copies by a policy from one repository to another."""
    said = ""
    for name in ("one", "two"):
        said += run(environment, "restic", "-r", name, "init")
    for number in range(3):
        (WORK / "src/number").write_text(str(number))
        stamp = f"2025-03-0{number + 1} 12:00:00"
        said += run(environment, "restic", "-r", "one", "backup", "src", "--time", stamp, "--host", "h")
    config = f'[app]\n[restic]\n[restic.environment]\n[grouping]\nhost = true\n[filters]\n[policy]\nkeep-daily = 2\n[source]\nrepository_uri = "{WORK}/one"\npassword = "secret"\n'
    config += f'[destination]\nrepository_uri = "{WORK}/two"\npassword = "secret"\n'
    (WORK / "home/.restic-replica").mkdir()
    (WORK / "home/.restic-replica/config.toml").write_text(config)
    environment = {key: value for key, value in environment.items() if key != "RESTIC_PASSWORD_FILE"}
    for line in (["--dry-run"], [], ["-v"]):
        said += run(environment, "restic-replica", *line)
    return said + run(environment, "restic", "-r", "two", "snapshots", RESTIC_PASSWORD="secret")


def exporter(environment):
    """restic-exporter: what a backup prints, and what a repository holds, sent to InfluxDB."""
    received = []

    class Influx(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if self.path.startswith("/write"):
                received.append(body)
                self.send_response(204)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"results": []}')

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Influx)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import restic_exporter.restic_exporter as module

    export = f"python {module.__file__} influxdb --influxdb-port {server.server_port} --backup-path src --backup-host h"
    environment = environment | {"RESTIC_REPOSITORY": str(WORK / "exp")}
    said = run(environment, "restic", "init")
    said += run(environment, "sh", "-c", f"restic backup --json src | {export}")
    said += run(environment, "script", "-qec", f"{export} --group-by host,paths -l INFO", "/dev/null")
    server.shutdown()
    received = [re.sub(r" \d{19}\b", " TIME", line) for body in received for line in body.splitlines() if "status" not in line]
    return said.replace(str(server.server_port), "PORT") + "\n".join(received)


def wrapper_of_projects(environment):
    """restic-backup: projects, retention, restore."""
    config = f"repository: {WORK}/proj\nretention: {{daily: 1, weekly: 1, monthly: 1}}\n"
    config += f"projects: {{p: {{source: {WORK}/src, exclude: ['*.txt']}}}}\n"
    (WORK / "projects.yaml").write_text(config)
    lines = [["backup"], ["backup", "p"], ["status"], ["list"], ["restore", "latest", WORK / "back"]]
    return "".join(run(environment, "restic-backup", "-c", "projects.yaml", *line) for line in lines)


MASKS = [
    # How often a status is shown is a matter of time.
    (r"(?m)^\{\"message_type\":\"status\".*\n|^.*restic_backup_status.*\n", ""),
    (r"(?m)^.*using temporary cache in .*\n", ""),
    (r"restverify-\w+-\d+-\w+", "TARGET"),
    (r"(last_run\{[^}]*\}) [0-9.e]+", r"\1 TIME"),
    (r"\d{4}[/-]\d\d[/-]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?( UTC)?", "TIME"),
    (r"datetime\.datetime\([^)]*\)", "TIME"),
    (r"\b[0-9a-f]{64}\b", "ID"),
    (r"(?<!\.)\b(?=[a-f]*\d)[0-9a-f]{8}\b|(?<!\.)\b[0-9a-f]{10,12}\b", "ID"),
    (r"((?:duration|elapsed|seconds)[a-z_]*(?:\{[^}]*\})?[\"']?[ =:]+)[0-9.e-]+", r"\1SPAN"),
    (r"\b\d+(\.\d+)? ?s\b|\b\d+:\d\d\b", "SPAN"),
    # Lengths of trees depend on how many digits times have, packed ones on what zstd makes of it.
    (r"((?:packed|compression|total_size|raw|data_added|size|space|ratio|saving|progress)[a-z_]*[\"']?[ =:]+)[0-9.e-]+", r"\1SIZE"),
    (r" *\b\d+(\.\d+)? [KMG]iB| *\b\d+ B  ", " SIZE"),
    (r"\b\d+ B stored", "SIZE stored"),
    (r"(?i)pid \d+", "PID"),
    (r"(polynomial\": \")[0-9a-f]+", r"\1POLYNOMIAL"),
    # Snapshots are copied in any order by restic, so that either may bring the packs.
    (r"\d+ / \d+ packs copied", "PACKS copied"),
    # Rows of the page on differences: the words after init, and who made a snapshot.
    (r"Please note that knowledge.*(\\n|\n).*(\\n|\n).*irrecoverably lost\.|Keep the password safe: .*stored here\.", "PASSWORD"),
    (r"unable to open config file: .*?: no such file", "unable to open config file: no such file"),
    (r"(restic 0\.19\.1|tresor 0\.1\.0)\b", "PROGRAM"),
]


def masked(text):
    """`text` without what cannot be the same twice."""
    for pattern, put in MASKS:
        text = re.sub(pattern, put, text)
    return text


CLIENTS = [library, wrapper, wrapper_by_config, wrapper_of_projects, drill, replica, exporter]


def main():
    real, ours = sys.argv[1:3]
    wrong = 0
    for client in CLIENTS:
        said = []
        for program in (real, ours):
            said.append(masked(client(prepare(program))).splitlines())
        different = list(difflib.unified_diff(*said, "restic", "tresor", lineterm="", n=1))
        wrong += bool(different)
        print(f"{'differs' if different else 'same':8}{len(said[0]):5} lines  {client.__doc__}")
        print("".join(f"    {line}\n" for line in different), end="")
    shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
