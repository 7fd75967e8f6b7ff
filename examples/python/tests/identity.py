"""What an identity provider and a certificate authority do in production, made with openssl."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path

ISSUER = "https://issuer.example"
AUDIENCE = "purchase-orders"


class Identity:
    """The files of a server that authenticates by tokens, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = self._make_certificates("ca")
        self._openssl("genpkey", "-algorithm", "ed25519", "-out", "token.key")
        public = self._openssl("pkey", "-in", "token.key", "-pubout", "-outform", "DER")[-32:]
        key = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "1", "x": encoded(public)}
        (folder / "token-keys.json").write_text(json.dumps({"keys": [key]}))

    def server_arguments(self) -> tuple[str, ...]:
        options = {
            "--tls-certificate": self._folder / "server.pem",
            "--tls-key": self._folder / "server.key",
            "--token-keys": self._folder / "token-keys.json",
            "--token-issuer": ISSUER,
            "--token-audience": AUDIENCE,
            "--operator-claim": "roles=platform-operator",
            "--shutdown-delay-seconds": 0,
        }
        return "serve", *(str(part) for option in options.items() for part in option)

    def token(self, subject: str, role: str = "staff") -> str:
        header = encoded(json.dumps({"alg": "EdDSA", "kid": "1"}).encode())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "roles": [role],
            "exp": time.time() // 1 + 600,
        }
        signed = f"{header}.{encoded(json.dumps(claims).encode())}"
        (self._folder / "signed").write_text(signed)
        signature = self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", "token.key", "-in", "signed")
        return f"{signed}.{encoded(signature)}"

    def _make_certificates(self, authority: str) -> Path:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth"
        (self._folder / "names").write_text(names)
        self._openssl(
            "req", "-x509", *curve, "-days", "2", "-subj", "/CN=Example CA",
            "-keyout", f"{authority}.key", "-out", f"{authority}.pem",
        )  # fmt: skip
        self._openssl(
            "req", "-new", *curve, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"
        )
        self._openssl(
            "x509", "-req", "-in", "server.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-days", "2", "-out", "server.pem", "-extfile", "names",
        )  # fmt: skip
        return self._folder / f"{authority}.pem"

    def _openssl(self, *arguments: str) -> bytes:
        ran = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, check=True)
        return ran.stdout


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
