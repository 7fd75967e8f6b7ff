/** Runs the example program as a developer does. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../src/orders.js", import.meta.url));

export interface Ended {
  status: number;
  printed: string;
  complained: string;
}

export function runOrders(options: Record<string, string>): Promise<Ended> {
  const parts = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [PROGRAM, ...parts],
      { timeout: 50_000 },
      (_, printed, complained) => resolve({ status: child.exitCode ?? -1, printed, complained }),
    );
  });
}
