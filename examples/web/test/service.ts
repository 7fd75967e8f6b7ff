// The real service with a database of its own, and the page as it is built, each on a free port.

import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { preview } from "vite";

const PROGRAM = resolve(process.env["PURCHASE_ORDER_SERVICE"] ?? "../../target/debug/purchase-order-service");
const START_MS = 60_000;
const STOP_MS = 30_000;

export class Service {
  private constructor(
    /** Where browsers call. */
    readonly address: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** Starts the service for pages of this origin, and waits until it says where they call. */
  static async start(origin: string): Promise<Service> {
    const folder = mkdtempSync(join(tmpdir(), "purchase-orders-"));
    const listen = ["--listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0", "--web-origins", origin];
    const database = ["--database-url", databaseUrl(folder)];
    const child = spawn(PROGRAM, ["develop", ...listen, ...database], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    try {
      return new Service(`http://${await webAddress(child)}`, child, folder);
    } catch (error) {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  /** Stops it, and has `verify` compute every invariant of what it has left. */
  async stop(): Promise<string> {
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    const force = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS);
    try {
      await ended;
      return execFileSync(PROGRAM, ["verify", "--database-url", databaseUrl(this.folder)], {
        encoding: "utf8",
      });
    } finally {
      clearTimeout(force);
      rmSync(this.folder, { recursive: true });
    }
  }
}

function databaseUrl(folder: string): string {
  return `sqlite:${join(folder, "web.sqlite")}`;
}

/** Reads from the log where browsers are served. The rest of the log is read too, so that its pipe never fills up. */
async function webAddress(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  return new Promise((found, failed) => {
    const fail = (why: string) => failed(new Error(`${PROGRAM} ${why}:\n${said.join("\n")}`));
    const limit = setTimeout(() => fail("did not say in time where browsers are served"), START_MS);
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code) => fail(`ended with ${code}`));
    createInterface({ input: child.stderr! }).on("line", (line) => {
      said.push(line);
      const address = /browsers are served.*address=(\S+)/.exec(line)?.[1];
      if (address !== undefined) {
        clearTimeout(limit);
        found(address);
      }
    });
    child.on("exit", () => clearTimeout(limit));
  });
}

export interface PageServer {
  origin: string;
  close: () => Promise<void>;
}

/** Serves the built page at an origin of its own. */
export async function servePage(): Promise<PageServer> {
  const server = await preview({
    logLevel: "warn",
    preview: { host: "localhost", port: 0, strictPort: false },
  });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) {
    throw new Error("the page is served nowhere");
  }
  return { origin: new URL(url).origin, close: () => server.close() };
}
