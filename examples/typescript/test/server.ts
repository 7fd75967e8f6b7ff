/** A server of its own for the tests, and a proxy that breaks connections to it. */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server as Listener, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Connection } from "../src/connection.js";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const PROGRAM = process.env["PURCHASE_ORDER_SERVICE"] ?? join(ROOT, "target/debug/purchase-order-service");
export const WAIT_MILLISECONDS = 30_000;

// Nothing outlives the tests, not even if one of them hangs and is ended.
const folders: string[] = [];
const children = new Set<ChildProcess>();
process.once("SIGTERM", () => process.exit(1));
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Polls, because what is waited for happens in another process. */
export async function waitUntil(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + WAIT_MILLISECONDS;
  while (!(await condition())) {
    assert(Date.now() < deadline, `not seen within ${WAIT_MILLISECONDS} ms: ${what}`);
    await pause(10);
  }
}

/** A folder that goes away with the tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "purchase-orders-"));
  folders.push(folder);
  return folder;
}

/** The real service with a SQLite database in a folder. */
export class Server {
  address = "";
  readonly #folder: string;
  readonly #arguments: string[];
  #process: ChildProcess | undefined;

  private constructor(folder: string, serverArguments: string[]) {
    this.#folder = folder;
    this.#arguments = serverArguments;
  }

  static async start(folder = temporaryFolder(), serverArguments = ["develop"]): Promise<Server> {
    const server = new Server(folder, serverArguments);
    await server.listen("127.0.0.1:0");
    return server;
  }

  async listen(address: string): Promise<void> {
    const [command = "", ...options] = this.#arguments;
    const database = `sqlite:${join(this.#folder, "orders.sqlite")}`;
    const child = spawn(PROGRAM, [command, "--listen", address, "--database-url", database, ...options], {
      stdio: ["ignore", "pipe", "inherit"],
      // What the environment says of databases and keys is not for this server.
      env: { RUST_LOG: "warn" },
    });
    this.#process = child;
    children.add(child);
    child.once("exit", () => children.delete(child));
    for await (const line of createInterface(child.stdout)) {
      const [, found] = /listens on (\S+)/.exec(line) ?? [];
      if (found) {
        this.address = found;
        child.stdout.resume();
        return;
      }
    }
    throw new Error("the server ended before it listened");
  }

  /** Ends the process; the database stays. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), WAIT_MILLISECONDS);
    await exited;
    clearTimeout(force);
  }

  connect(principal: string): Connection {
    return Connection.development(this.address, principal);
  }
}

/** Forwards connections to a server. It can hold back the answers, and break the connections. */
export class Proxy {
  readonly address: string;
  readonly #listener: Listener;
  #pairs: { client: Socket; server: Socket }[] = [];

  private constructor(listener: Listener) {
    this.#listener = listener;
    this.address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  }

  static async start(target: string): Promise<Proxy> {
    const [host, port] = target.split(":");
    const listener = createServer((client) => {
      const server = connect(Number(port), host);
      proxy.#pairs.push({ client, server });
      client.on("error", () => server.destroy());
      server.on("error", () => client.destroy());
      client.pipe(server);
      server.pipe(client);
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const proxy = new Proxy(listener);
    return proxy;
  }

  /** From now on requests reach the server, and what it answers reaches nobody. */
  hold(): void {
    for (const { client, server } of this.#pairs) {
      server.unpipe(client);
      server.pause();
    }
  }

  release(): void {
    for (const { client, server } of this.#pairs) server.pipe(client);
  }

  /** Ends all connections, by RST or by FIN. New ones work; what was held back is lost. */
  cut(reset: boolean): void {
    for (const { client, server } of this.#pairs.splice(0)) {
      if (reset) client.resetAndDestroy();
      else client.destroy();
      server.destroy();
    }
  }

  close(): void {
    this.#listener.close();
    this.cut(false);
  }
}
