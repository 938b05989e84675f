"""A real OpenStack Swift on one node, in one process: proxy, account, container and object server.

Arguments: a folder, the port to listen at, how often each token may be used (0: as often as one likes).
Accounts and tokens are `tempauth`'s (version 1: `test:tester` with the key `testing`). In front of it stands
a double of Keystone for versions 2 and 3, which hands out the same tokens for the names in IDENTITY; beside it,
instead of memcached, a cache in memory.
"""

import eventlet

eventlet.monkey_patch(os=False)

import json
import os
import sys

from eventlet import wsgi
from swift.common import utils
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.ring import RingBuilder
from swift.common.storage_policy import reload_storage_policies
from swift.common.wsgi import loadapp

IDENTITY = {
    "user": "keystone-user",
    "user_id": "0123456789abcdef",
    "password": "keystone-secret",
    "domain": "Default",
    "project": "the-project",
    "project_id": "fedcba9876543210",
    "credential": "the-credential",
    "credential_id": "00112233445566",
    "credential_secret": "credential-secret",
    "trust_id": "8899aabbccdd",
    "region": "here",
}

SERVER = """[DEFAULT]
swift_dir = {etc}
devices = {devices}
mount_check = false
log_address = /nonexistent
log_level = CRITICAL
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {run}
"""

PROXY = """[DEFAULT]
swift_dir = {etc}
log_address = /nonexistent
log_level = CRITICAL
[pipeline:main]
pipeline = catch_errors tempauth proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""

COMMON = """[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = gold
default = yes
[storage-policy:1]
name = silver
"""


class Cache:
    """What Swift asks of memcached, in memory; forgets a token that was used often enough."""

    def __init__(self, uses):
        self.values, self.uses, self.used = {}, uses, {}

    def get(self, key, raise_on_error=False):
        if "/token/" in key and self.uses:
            self.used[key] = self.used.get(key, 0) + 1
            if self.used[key] > self.uses:
                return None
        return self.values.get(key)

    def set(self, key, value, serialize=True, time=0, min_compress_len=0, raise_on_error=False):
        self.values[key] = json.loads(json.dumps(value))

    def delete(self, key, server_key=None):
        self.values.pop(key, None)

    def incr(self, key, delta=1, time=0):
        self.values[key] = int(self.values.get(key) or 0) + delta
        return self.values[key]


class Front:
    """Sends what is for Keystone there, and the rest to Swift."""

    def __init__(self, swift, uses, address):
        self.swift, self.cache, self.address = swift, Cache(uses), address

    def __call__(self, environ, start_response):
        environ["swift.cache"] = self.cache
        answers = {"/v2.0/tokens": self.version_2, "/v3/auth/tokens": self.version_3}
        answer = answers.get(environ["PATH_INFO"])
        if not answer:
            return self.swift(environ, start_response)
        request = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = answer(request["auth"])
        if body is None:
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"these credentials are not known"]
        status, headers, body = body
        start_response(status, [("Content-Type", "application/json"), *headers])
        return [json.dumps(body).encode()]

    def token(self):
        """A token as tempauth gives it."""
        seen = {}
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/auth/v1.0",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.address[1]),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "%s:%d" % self.address,
            "HTTP_X_AUTH_USER": "test:tester",
            "HTTP_X_AUTH_KEY": "testing",
            "HTTP_X_AUTH_NEW_TOKEN": "true",
            "swift.cache": self.cache,
            "wsgi.url_scheme": "http",
            "wsgi.input": None,
        }
        b"".join(self.swift(environ, lambda status, headers, error=None: seen.update(headers)))
        return seen["X-Auth-Token"], seen["X-Storage-Url"]

    def version_2(self, auth):
        login = auth.get("passwordCredentials", {})
        tenant = (auth.get("tenantName"), auth.get("tenantId"))
        if login != {"username": IDENTITY["user"], "password": IDENTITY["password"]}:
            return None
        if tenant not in [(IDENTITY["project"], None), (None, IDENTITY["project_id"])]:
            return None
        token, url = self.token()
        endpoints = [
            {"region": "elsewhere", "publicURL": "http://127.0.0.1:1/v1/AUTH_x"},
            {"region": IDENTITY["region"], "publicURL": url, "internalURL": "http://127.0.0.1:1/"},
        ]
        catalog = [{"type": "image", "endpoints": []}, {"type": "object-store", "endpoints": endpoints}]
        token = {"id": token, "expires": "2099-01-01T00:00:00Z"}
        return "200 OK", [], {"access": {"token": token, "serviceCatalog": catalog}}

    def version_3(self, auth):
        identity = auth["identity"]
        domain = {"name": IDENTITY["domain"]}
        user = [{"name": IDENTITY["user"], "domain": domain}, {"id": IDENTITY["user_id"]}]
        if identity["methods"] == ["password"]:
            known = [{"user": {**who, "password": IDENTITY["password"]}} for who in user]
            scopes = [{"project": {"name": IDENTITY["project"], "domain": domain}}]
            scopes += [{"project": {"id": IDENTITY["project_id"]}}]
            scopes += [{"OS-TRUST:trust": {"id": IDENTITY["trust_id"]}}]
            good = identity["password"] in known and auth.get("scope") in scopes
        elif identity["methods"] == ["application_credential"]:
            secret = {"secret": IDENTITY["credential_secret"]}
            known = [{"id": IDENTITY["credential_id"], **secret}]
            known += [{"name": IDENTITY["credential"], "user": who, **secret} for who in user]
            good = identity["application_credential"] in known and "scope" not in auth
        else:
            good = False
        if not good:
            return None
        token, url = self.token()
        endpoints = [
            {"interface": "internal", "region": IDENTITY["region"], "url": "http://127.0.0.1:1/"},
            {"interface": "public", "region": "elsewhere", "url": "http://127.0.0.1:1/v1/AUTH_x"},
            {"interface": "public", "region": IDENTITY["region"], "url": url},
        ]
        catalog = [{"type": "identity", "endpoints": []}, {"type": "object-store", "endpoints": endpoints}]
        token_body = {"catalog": catalog, "expires_at": "2099-01-01T00:00:00.000000Z"}
        return "201 Created", [("X-Subject-Token", token)], {"token": token_body}


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def serve(socket, app):
    quiet = open(os.devnull, "w")
    wsgi.server(socket, app, log=quiet, protocol=SwiftHttpProtocol, debug=False)


def main(folder, port, uses):
    etc, devices, run = (os.path.join(folder, name) for name in ("etc", "devices", "run"))
    for path in (etc, os.path.join(devices, "disk"), run):
        os.makedirs(path, exist_ok=True)
    write(os.path.join(etc, "swift.conf"), COMMON)
    utils.set_swift_dir(etc)
    reload_storage_policies()
    kinds = {"account": ["account"], "container": ["container"], "object": ["object", "object-1"]}
    for kind, rings in kinds.items():
        socket = eventlet.listen(("127.0.0.1", 0))
        for ring in rings:
            builder = RingBuilder(4, 1, 1)
            device = {"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", "meta": ""}
            where = {"ip": "127.0.0.1", "port": socket.getsockname()[1]}
            builder.add_dev({**device, **where, **{"replication_" + key: value for key, value in where.items()}})
            builder.rebalance(seed=1)
            builder.get_ring().save(os.path.join(etc, ring + ".ring.gz"))
        conf = os.path.join(etc, kind + ".conf")
        write(conf, SERVER.format(etc=etc, devices=devices, run=run, kind=kind))
        eventlet.spawn(serve, socket, loadapp(conf))
    conf = os.path.join(etc, "proxy.conf")
    write(conf, PROXY.format(etc=etc))
    front = Front(loadapp(conf), uses, ("127.0.0.1", port))
    serve(eventlet.listen(("127.0.0.1", port), backlog=128), front)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
