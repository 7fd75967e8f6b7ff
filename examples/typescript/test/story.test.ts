/** The program as a developer runs it. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { runOrders } from "./program.js";
import { Server, temporaryFolder } from "./server.js";

let server: Server;
let positions: string;

beforeEach(async () => {
  const folder = temporaryFolder();
  positions = join(folder, "positions.json");
  server = await Server.start(folder);
});
afterEach(() => server.stop());

test("the story runs twice, and its follower goes on", async () => {
  const options = { address: server.address, principal: "alice", positions };
  const first = await runOrders(options);
  assert.equal(first.status, 0, first.complained);
  assert.match(first.printed, /complete PO-000001, with PO-000001-B1 for 6 lines/);
  assert.match(first.printed, /follow   events 1 to 11: each came once/);
  const second = await runOrders(options);
  assert.equal(second.status, 0, second.complained);
  assert.match(second.printed, /follow   events 12 to 19: each came once/);
});

test("positions of another database are noticed", async () => {
  writeFileSync(positions, '{"demo": "4000"}');
  const ended = await runOrders({ address: server.address, principal: "alice", positions });
  assert.equal(ended.status, 1);
  assert.match(ended.complained, /POSITION_AHEAD/);
});

test("a caller without permission is told the reason", async () => {
  const ended = await runOrders({ address: server.address, principal: "bob", positions });
  assert.equal(ended.status, 1);
  assert.match(ended.complained, /PERMISSION_DENIED PERMISSION_MISSING/);
});
