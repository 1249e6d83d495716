"""Stands in for a language model behind TLS with a certificate of a private authority.

usage: tls_model.py PORT FOLDER valid|other-host|expired|not-yet-valid

Writes FOLDER/ca.crt, prints READY when it listens on 127.0.0.1:PORT, serves until killed.
"""

import datetime
import http.server
import ipaddress
import json
import pathlib
import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(name, key, issuer, issuer_key, extension, hours_off=0):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours_off)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=True)
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    return builder.not_valid_after(now + datetime.timedelta(hours=1)).sign(issuer_key, hashes.SHA256())


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "answer over TLS"}
        body = json.dumps({"choices": [{"finish_reason": "stop", "message": message}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # Connections that may wait to be accepted: hundreds at a time come.
    request_queue_size = 1024


def main():
    port, folder, kind = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.BasicConstraints(ca=True, path_length=0)
    ca = certificate(name("test authority"), ca_key, name("test authority"), ca_key, authority)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.2" if kind == "other-host" else "127.0.0.1"))])
    hours_off = {"expired": -2, "not-yet-valid": 2}.get(kind, 0)
    leaf = certificate(name("model"), key, ca.subject, ca_key, address, hours_off)
    pem = serialization.Encoding.PEM
    (folder / "ca.crt").write_bytes(ca.public_bytes(pem))
    (folder / "model.crt").write_bytes(leaf.public_bytes(pem))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "model.key").write_bytes(key.private_bytes(pem, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "model.crt", folder / "model.key")
    server = Server(("127.0.0.1", port), Model)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("READY", flush=True)
    server.serve_forever()


main()
