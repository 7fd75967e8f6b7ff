/** A server in production: TLS, and a token instead of a name. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { GetStoreRequest, StoreServiceService as Stores } from "../generated/purchasing/v1/store_service.js";
import { Connection } from "../src/connection.js";
import { ServiceError } from "../src/errors.js";
import { Identity } from "./identity.js";
import { runOrders } from "./program.js";
import { Server, temporaryFolder } from "./server.js";
import { openStore } from "./shop.js";

const folder = temporaryFolder();
const identity = new Identity(folder);
let server: Server;

before(async () => {
  server = await Server.start(folder, identity.serverArguments());
  const operator = connect(identity.token("olga", "platform-operator"));
  await openStore(operator, "north");
  operator.close();
});
after(() => server.stop());

/** By the name that the certificate bears. */
function address(): string {
  return server.address.replace("127.0.0.1", "localhost");
}

function connect(token: string, authority = identity.authority): Connection {
  return Connection.production(address(), async () => token, authority);
}

async function failure(client: Connection): Promise<ServiceError> {
  const request = GetStoreRequest.create({ storeId: "north" });
  const call = client.call(Stores.getStore, request, 1_000).finally(() => client.close());
  const error = await call.then(
    () => assert.fail("the call fails"),
    (failed: unknown) => failed,
  );
  assert(error instanceof ServiceError, String(error));
  return error;
}

test("the story runs with a token", async () => {
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${identity.token("alice")}\n`);
  const ended = await runOrders({
    address: address(),
    "token-file": tokenFile,
    ca: identity.authorityFile,
    store: "north",
    positions: join(folder, "positions.json"),
  });
  assert.equal(ended.status, 0, ended.complained);
  assert.match(ended.printed, /each came once/);
});

test("a bad token is refused with its reason", async () => {
  const token = identity.token("alice");
  const error = await failure(connect(`${token.slice(0, -8)}AAAAAAAA`));
  assert.equal(error.code, status.UNAUTHENTICATED);
  assert.equal(error.reason, "INVALID_CREDENTIALS");
});

test("a server of another authority is not trusted", async () => {
  const stranger = new Identity(temporaryFolder()).authority;
  const error = await failure(connect(identity.token("alice"), stranger));
  assert.equal(error.reason, "", "the service has not been asked");
  assert([status.UNAVAILABLE, status.DEADLINE_EXCEEDED].includes(error.code), String(error));
});
