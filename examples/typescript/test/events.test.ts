/** Following a store through everything that can end a watch: nothing is missed, nothing comes twice. */

import assert from "node:assert/strict";
import { linkSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { status, type handleServerStreamingCall, type ServiceError as GrpcError } from "@grpc/grpc-js";
import { Event } from "../generated/purchasing/v1/event.js";
import {
  EventServiceService as Events,
  WatchEventsRequest,
  WatchEventsResponse,
} from "../generated/purchasing/v1/event_service.js";
import { Connection } from "../src/connection.js";
import { ServiceError } from "../src/errors.js";
import { follow, PositionFile } from "../src/events.js";
import { Proxy, Server, temporaryFolder, waitUntil } from "./server.js";
import { Shop } from "./shop.js";
import { refusal, StandIn } from "./standin.js";

let server: Server;
let shop: Shop;
let path: string;
before(async () => (server = await Server.start()));
after(() => server.stop());
beforeEach(async () => {
  shop = await Shop.open(server);
  path = join(temporaryFolder(), "positions.json");
});
afterEach(() => shop.close());

const nothingToTakeOver = (storeId: string) => assert.fail(`no events of ${storeId} are deleted`);

/** A follower whose events a test waits for. */
class Watching {
  readonly seen: bigint[] = [];
  readonly #end = new AbortController();
  readonly #ended: Promise<void>;

  constructor(
    connection: Connection,
    storeId: string,
    more: { takeOver?: (storeId: string) => void; silenceMilliseconds?: number } = {},
  ) {
    this.#ended = follow(connection, {
      positions: new PositionFile(path),
      stores: [storeId],
      handle: ({ eventNumber }) => void this.seen.push(eventNumber),
      takeOver: nothingToTakeOver,
      signal: this.#end.signal,
      ...more,
    });
    // It is looked at in `stop`; until then a failure is no unhandled one.
    this.#ended.catch(() => {});
  }

  /** Waits until these events and no others have come. */
  async expect(...numbers: bigint[]): Promise<void> {
    await waitUntil(
      async () => this.seen.length >= numbers.length,
      `events ${numbers}, and not ${this.seen}`,
    );
    assert.deepEqual(this.seen, numbers);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#ended;
  }
}

/** Watches while the steps of a test are done. */
async function watching(watched: Watching, steps: () => Promise<void>): Promise<void> {
  try {
    await steps();
  } finally {
    await watched.stop();
  }
}

/** Follows until that ends by itself, which it does by an error. */
async function failing(connection: Connection, storeId: string, positions: PositionFile, handle = () => {}) {
  const { signal } = new AbortController();
  const following = follow(connection, {
    positions,
    stores: [storeId],
    handle,
    takeOver: nothingToTakeOver,
    signal,
  });
  return following.then(
    () => assert.fail("the following ends by an error"),
    (error: unknown) => error as Error,
  );
}

describe("a follower of the service", () => {
  test("goes on where the first one stopped", async () => {
    const first = new Watching(shop.alice, shop.storeId);
    await watching(first, async () => {
      await first.expect(1n, 2n);
      await shop.placedOrder();
      await first.expect(1n, 2n, 3n, 4n);
    });
    await shop.placedOrder();
    await shop.placedOrder();
    const second = new Watching(shop.alice, shop.storeId);
    await watching(second, async () => {
      await second.expect(5n, 6n, 7n, 8n);
      await shop.placedOrder();
      await second.expect(5n, 6n, 7n, 8n, 9n, 10n);
    });
    assert.equal(new PositionFile(path).get(shop.storeId), 10n);
  });

  test("gets an event again that it could not handle", async () => {
    let handled = 0;
    const error = await failing(shop.alice, shop.storeId, new PositionFile(path), () => {
      if (++handled === 2) throw new RangeError("the follower's database is away");
    });
    assert(error instanceof RangeError, String(error));
    const again = new Watching(shop.alice, shop.storeId);
    await watching(again, () => again.expect(2n));
  });

  test("goes on after the service was restarted", async () => {
    const own = await Server.start();
    const shopThere = await Shop.open(own);
    const watched = new Watching(shopThere.alice, shopThere.storeId);
    try {
      await watching(watched, async () => {
        await watched.expect(1n, 2n);
        // The watch ends with STOPPING; until the service listens again, there is no connection.
        await own.stop();
        await own.listen(own.address);
        await shopThere.placedOrder();
        await watched.expect(1n, 2n, 3n, 4n);
      });
    } finally {
      shopThere.close();
      await own.stop();
    }
  });

  for (const reset of [false, true]) {
    test(`goes on after its connection broke, by ${reset ? "RST" : "FIN"}`, async () => {
      const proxy = await Proxy.start(server.address);
      const client = Connection.development(proxy.address, "alice");
      const watched = new Watching(client, shop.storeId);
      try {
        await watching(watched, async () => {
          await watched.expect(1n, 2n);
          proxy.hold();
          await shop.placedOrder();
          proxy.cut(reset);
          await watched.expect(1n, 2n, 3n, 4n);
        });
      } finally {
        client.close();
        proxy.close();
      }
    });
  }

  test("waits for a place", async () => {
    // One address may have 128 watches, and a connection 128 calls: by the proxy there is a second connection.
    const proxy = await Proxy.start(server.address);
    const others = Connection.development(proxy.address, "alice");
    const request = WatchEventsRequest.create({ positions: [{ storeId: shop.storeId, after: 0n }] });
    const streams = Array.from({ length: 128 }, () => others.stream(Events.watchEvents, request, 60_000));
    const begun = streams.map((stream) => new Promise((answered) => stream.once("data", answered)));
    for (const stream of streams) stream.on("error", () => {});
    await Promise.all(begun);
    const refused = await new Promise<GrpcError>((failed) =>
      shop.alice
        .stream(Events.watchEvents, request, 60_000)
        .on("error", failed)
        .on("data", () => {}),
    );
    assert.equal(new ServiceError(refused).reason, "QUEUE_FULL");
    const watched = new Watching(shop.alice, shop.storeId);
    try {
      await watching(watched, async () => {
        for (const stream of streams) stream.cancel();
        await watched.expect(1n, 2n);
      });
    } finally {
      others.close();
      proxy.close();
    }
  });

  test("ends with a position of another database", async () => {
    const positions = new PositionFile(path);
    await positions.save(shop.storeId, 4000n);
    const error = await failing(shop.alice, shop.storeId, positions);
    assert(error instanceof ServiceError, String(error));
    assert.equal(error.code, status.OUT_OF_RANGE);
    assert.equal(error.reason, "POSITION_AHEAD");
    assert.equal(error.metadata["last_event_number"], "2");
  });

  test("ends where the caller may not see the store", async () => {
    const carol = server.connect("carol");
    const error = await failing(carol, shop.storeId, new PositionFile(path));
    carol.close();
    assert(error instanceof ServiceError, String(error));
    assert.equal(error.reason, "NO_STORE_ACCESS");
  });
});

describe("a follower of a stand-in", () => {
  type Watch = handleServerStreamingCall<WatchEventsRequest, WatchEventsResponse>;
  let standIn: StandIn;
  afterEach(() => standIn.close());

  const start = async (watchEvents: Watch) => (standIn = await StandIn.start(Events, { watchEvents }));
  const message = (...numbers: bigint[]) =>
    WatchEventsResponse.create({
      events: numbers.map((eventNumber) => Event.create({ storeId: "north", eventNumber })),
    });

  test("takes deleted events over by lists", async () => {
    const asked: bigint[] = [];
    const takenOver: string[] = [];
    // Events up to 7 are deleted, and each watch ends after one event.
    await start((call) => {
      const after = call.request.positions[0]!.after;
      asked.push(after);
      if (after < 7n) {
        const numbers = { store_id: "north", first_event_number: "8", last_event_number: "9" };
        call.emit("error", refusal(status.OUT_OF_RANGE, "POSITION_PRUNED", numbers));
        return;
      }
      call.write(message());
      if (after < 11n) call.write(message(after + 1n));
      call.emit("error", refusal(status.UNAVAILABLE, "WATCH_ENDED"));
    });
    const watched = new Watching(standIn.client, "north", { takeOver: (storeId) => takenOver.push(storeId) });
    await watching(watched, () => watched.expect(10n, 11n));
    assert.deepEqual(takenOver, ["north"]);
    assert.deepEqual(asked.slice(0, 3), [0n, 9n, 10n], "each watch begins at the position that was kept");
    assert.equal(new PositionFile(path).get("north"), 11n);
  });

  test("opens a watch again that is silent for too long", async () => {
    let watches = 0;
    // The first watch sends no heartbeat.
    await start((call) => {
      call.write(message());
      if (++watches > 1) call.write(message(1n));
    });
    const watched = new Watching(standIn.client, "north", { silenceMilliseconds: 500 });
    await watching(watched, () => watched.expect(1n));
  });

  test("does not pass over a gap", async () => {
    await start((call) => call.write(message(2n)));
    const error = await failing(standIn.client, "north", new PositionFile(path));
    assert.match(error.message, /event 2 came where 1 was to follow/);
  });
});

test("positions are replaced in one step", async () => {
  const positions = new PositionFile(path);
  await positions.save("north", 5n);
  linkSync(path, `${path}.before`);
  await positions.save("north", 6n);
  // The file was never open for writing: another one has taken its name.
  assert.equal(new PositionFile(`${path}.before`).get("north"), 5n);
  assert.equal(new PositionFile(path).get("north"), 6n);
  assert.equal(new PositionFile(path).get("south"), 0n);
});
