/** What an identity provider and a certificate authority do in production. */

import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ISSUER = "https://issuer.example";
const AUDIENCE = "purchase-orders";

/** The files of a server that authenticates by tokens, in a folder of their own. */
export class Identity {
  readonly #folder: string;
  readonly #key: KeyObject;

  constructor(folder: string) {
    this.#folder = folder;
    this.#makeCertificates();
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#key = privateKey;
    const key = { ...publicKey.export({ format: "jwk" }), use: "sig", kid: "1" };
    writeFileSync(join(folder, "token-keys.json"), JSON.stringify({ keys: [key] }));
  }

  get authorityFile(): string {
    return join(this.#folder, "ca.pem");
  }

  get authority(): Buffer {
    return readFileSync(this.authorityFile);
  }

  serverArguments(): string[] {
    const options = {
      "--tls-certificate": join(this.#folder, "server.pem"),
      "--tls-key": join(this.#folder, "server.key"),
      "--token-keys": join(this.#folder, "token-keys.json"),
      "--token-issuer": ISSUER,
      "--token-audience": AUDIENCE,
      "--operator-claim": "roles=platform-operator",
      "--shutdown-delay-seconds": "0",
    };
    return ["serve", ...Object.entries(options).flat()];
  }

  token(subject: string, role = "staff"): string {
    const expiry = Math.floor(Date.now() / 1000) + 600;
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: subject, roles: [role], exp: expiry };
    const signed = `${encoded({ alg: "EdDSA", kid: "1" })}.${encoded(claims)}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.#key).toString("base64url")}`;
  }

  #makeCertificates(): void {
    const curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    const names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth";
    writeFileSync(join(this.#folder, "names"), names);
    this.#openssl(`req -x509 ${curve} -days 2 -subj /CN=Example-CA -keyout ca.key -out ca.pem`);
    this.#openssl(`req -new ${curve} -subj /CN=localhost -keyout server.key -out server.csr`);
    this.#openssl(
      "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem -extfile names",
    );
  }

  #openssl(command: string): void {
    execFileSync("openssl", command.split(" "), { cwd: this.#folder, stdio: "pipe" });
  }
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
