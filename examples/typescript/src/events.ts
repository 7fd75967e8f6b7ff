/** Following the events of stores, from a position that outlives the program. */

import { existsSync, readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { status, type ServiceError as GrpcError } from "@grpc/grpc-js";
import type { Event } from "../generated/purchasing/v1/event.js";
import {
  EventServiceService,
  WatchEventsRequest,
  type WatchEventsResponse,
} from "../generated/purchasing/v1/event_service.js";
import type { Connection } from "./connection.js";
import { ServiceError } from "./errors.js";

// The service ends each watch after 5 minutes; the deadline is for the case that it does not.
const WATCH_MILLISECONDS = 330_000;
// The service sends an empty message after 15 s without an event.
const SILENCE_MILLISECONDS = 30_000;
const MAX_PAUSE_MILLISECONDS = 30_000;

/**
 * The number of the last event that was processed, of each store, in a file.
 *
 * Where what you make of the events is in a database, keep the position there, in the same transaction: then no
 * event is ever processed twice. With a file, an event comes again if the program is killed between processing
 * and saving.
 */
export class PositionFile {
  readonly #path: string;
  readonly #positions: Map<string, bigint>;

  constructor(path: string) {
    this.#path = path;
    const text = existsSync(path) ? readFileSync(path, "utf8") : "{}";
    const kept = Object.entries(JSON.parse(text) as Record<string, string>);
    this.#positions = new Map(kept.map(([store, number]) => [store, BigInt(number)]));
  }

  get(storeId: string): bigint {
    return this.#positions.get(storeId) ?? 0n;
  }

  /** Replaces the file in one step: after a crash it holds the old positions or the new ones. */
  async save(storeId: string, eventNumber: bigint): Promise<void> {
    this.#positions.set(storeId, eventNumber);
    const positions = [...this.#positions].map(([store, number]) => [store, number.toString()]);
    const unfinished = `${this.#path}.unfinished`;
    const file = await open(unfinished, "w");
    try {
      await file.writeFile(JSON.stringify(Object.fromEntries(positions)));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, this.#path);
  }
}

export interface Following {
  positions: PositionFile;
  stores: Iterable<string>;
  /** Gets every event of the stores, in the order of their numbers. */
  handle: (event: Event) => void | Promise<void>;
  /** Reads the present state of a store by lists, because events that are needed were deleted. */
  takeOver: (storeId: string) => void | Promise<void>;
  /** Ends the following. */
  signal: AbortSignal;
  silenceMilliseconds?: number;
}

/** Watches, and watches again whenever the stream ends, until the signal or a final error. */
export async function follow(connection: Connection, following: Following): Promise<void> {
  const stores = new Set(following.stores);
  let pauses = 0;
  while (!following.signal.aborted) {
    try {
      await watch(connection, following, stores, () => (pauses = 0));
    } catch (error) {
      if (following.signal.aborted) return;
      if (!(error instanceof ServiceError)) throw error;
      await recover(error, following, () => ++pauses);
    }
  }
}

async function watch(
  connection: Connection,
  { positions, handle, signal, silenceMilliseconds = SILENCE_MILLISECONDS }: Following,
  stores: Set<string>,
  heard: () => void,
): Promise<void> {
  const request = WatchEventsRequest.create({
    positions: [...stores].map((storeId) => ({ storeId, after: positions.get(storeId) })),
  });
  const stream = connection.stream(EventServiceService.watchEvents, request, WATCH_MILLISECONDS);
  const cancel = () => stream.cancel();
  // The end of a stream that nobody reads any more is no error of the program.
  stream.on("error", () => {});
  signal.addEventListener("abort", cancel);
  const silence = setTimeout(cancel, silenceMilliseconds);
  try {
    for await (const message of readMessages(stream)) {
      silence.refresh();
      heard();
      // The first message and the heartbeats have no events.
      for (const event of message.events) {
        const expected = positions.get(event.storeId) + 1n;
        if (event.eventNumber !== expected) {
          throw new Error(`event ${event.eventNumber} came where ${expected} was to follow`);
        }
        await handle(event);
        await positions.save(event.storeId, event.eventNumber);
        if (signal.aborted) return;
      }
      for (const storeId of message.endedStoreIds) stores.delete(storeId);
    }
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

/** The messages of a stream; its error as a ServiceError. Errors of who reads the messages stay as they are. */
async function* readMessages(
  stream: AsyncIterable<WatchEventsResponse>,
): AsyncGenerator<WatchEventsResponse> {
  const messages = stream[Symbol.asyncIterator]();
  for (;;) {
    let next: IteratorResult<WatchEventsResponse>;
    try {
      next = await messages.next();
    } catch (error) {
      throw new ServiceError(error as GrpcError);
    }
    if (next.done) return;
    yield next.value;
  }
}

/** Prepares the next watch, or throws what no further watch can help against. */
async function recover(error: ServiceError, following: Following, countPause: () => number): Promise<void> {
  if (error.reason === "POSITION_PRUNED") {
    const { store_id: storeId = "", last_event_number: last = "0" } = error.metadata;
    await following.takeOver(storeId);
    await following.positions.save(storeId, BigInt(last));
  } else if (error.reason === "WATCH_ENDED") {
    return;
  } else if (isPassing(error)) {
    const wanted = error.retryAfterMilliseconds ?? Math.min(MAX_PAUSE_MILLISECONDS, 500 * 2 ** countPause());
    const jitter = 0.8 + 0.4 * Math.random();
    // The signal ends the pause too.
    await pause(wanted * jitter, undefined, { signal: following.signal }).catch(() => {});
  } else {
    // POSITION_AHEAD among them: the store was restored from a backup, which a person must look at.
    throw error;
  }
}

/** Whether a watch that ended so may go on later. CANCELLED is a stream that was silent for too long. */
function isPassing(error: ServiceError): boolean {
  const passing = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED];
  return error.reason === "QUEUE_FULL" || passing.includes(error.code);
}
