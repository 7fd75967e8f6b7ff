/**
 * A store orders, receives in parts, completes with a back order, and follows what happens.
 *
 *     node dist/src/orders.js --address 127.0.0.1:50051 --principal alice
 *     node dist/src/orders.js --address orders.example:443 --token-file token --store north
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Big } from "big.js";
import { EventType } from "../generated/purchasing/v1/event.js";
import {
  CancelReason,
  PendingDisposition,
  PurchaseOrderState,
  RejectReason,
  Unit,
  type PurchaseOrder,
} from "../generated/purchasing/v1/purchase_order.js";
import {
  CancelPurchaseOrderLinesRequest,
  CompletePurchaseOrderRequest,
  ConfirmPurchaseOrderRequest,
  CreatePurchaseOrderRequest,
  LineCancellation,
  NewLine,
  NewReceiptItem,
  PlacePurchaseOrderRequest,
  PreviewCompletionRequest,
  PurchaseOrderServiceService as Orders,
  ReceivePurchaseOrderRequest,
  type CompletePurchaseOrderResponse,
  type CreatePurchaseOrderResponse,
  type PreviewCompletionResponse,
} from "../generated/purchasing/v1/purchase_order_service.js";
import {
  ListOutstandingLinesRequest,
  ReportServiceService as Reports,
} from "../generated/purchasing/v1/report_service.js";
import {
  EnableBackOrdersRequest,
  GetStoreRequest,
  StoreServiceService as Stores,
} from "../generated/purchasing/v1/store_service.js";
import { Connection, newRequestId } from "./connection.js";
import { ServiceError } from "./errors.js";
import { follow, PositionFile } from "./events.js";

const WANTED = [
  { product: "rice", text: "Rice, 5 kg bag", unit: Unit.UNIT_EACH, quantity: Big("40"), cost: Big("6.20") },
  { product: "oil", text: "Olive oil, 1 l", unit: Unit.UNIT_BOTTLE, quantity: Big("24"), cost: Big("4.75") },
  {
    product: "parmesan",
    text: "Parmesan",
    unit: Unit.UNIT_KILOGRAM,
    quantity: Big("12.5"),
    cost: Big("11.90"),
  },
  {
    product: "espresso",
    text: "Espresso beans",
    unit: Unit.UNIT_KILOGRAM,
    quantity: Big("8"),
    cost: Big("14.30"),
  },
  { product: "pasta", text: "Pasta, 500 g", unit: Unit.UNIT_EACH, quantity: Big("60"), cost: Big("1.15") },
  {
    product: "tomatoes",
    text: "Tomatoes, tin",
    unit: Unit.UNIT_EACH,
    quantity: Big("48"),
    cost: Big("0.98"),
  },
  {
    product: "vinegar",
    text: "Vinegar, 0.5 l",
    unit: Unit.UNIT_BOTTLE,
    quantity: Big("18"),
    cost: Big("3.40"),
  },
  { product: "honey", text: "Honey, 250 g", unit: Unit.UNIT_EACH, quantity: Big("12"), cost: Big("5.60") },
];

/** Each method is one step: a call or two, and what a program makes of the answers. */
class Story {
  constructor(
    private readonly connection: Connection,
    private readonly storeId: string,
    private readonly positions: string,
  ) {}

  /** The request id is made with the request, so that each retry sends the same one. */
  async create(): Promise<PurchaseOrder> {
    const request = CreatePurchaseOrderRequest.create({
      storeId: this.storeId,
      requestId: newRequestId(),
      supplierId: "baker-foods",
      lines: WANTED.map(({ product, text, unit, quantity, cost }) =>
        NewLine.create({
          productId: product,
          description: text,
          unit,
          // toFixed writes no exponent, and all places that there are.
          quantity: quantity.toFixed(),
          unitCost: cost.toFixed(),
        }),
      ),
    });
    const created = await this.connection.call(Orders.createPurchaseOrder, request);
    const order = present(created.purchaseOrder);
    // An amount is unset where the caller may not see it.
    const worth =
      order.orderedCost === undefined
        ? "its cost is not shown"
        : `worth ${Big(order.orderedCost).toFixed(2)} ${order.currency}`;
    say("create", `${order.number} with ${order.lineCount} lines, ${worth}`);
    await this.sendAgain(request, created);
    return order;
  }

  /** What a client does that has not seen the answer. Nothing happens twice. */
  private async sendAgain(
    request: CreatePurchaseOrderRequest,
    first: CreatePurchaseOrderResponse,
  ): Promise<void> {
    const second = await this.connection.call(Orders.createPurchaseOrder, request);
    const order = present(second.purchaseOrder);
    assert.equal(order.purchaseOrderId, present(first.purchaseOrder).purchaseOrderId);
    assert.equal(second.eventNumber, first.eventNumber);
    say("again", `the same request id gives the same answer: ${order.number}`);
  }

  /** A program shows the violations beside the fields of its form. */
  async refused(): Promise<void> {
    const line = NewLine.create({
      productId: "rice",
      unit: Unit.UNIT_EACH,
      quantity: "1.23456",
      unitCost: "-1",
    });
    const request = CreatePurchaseOrderRequest.create({
      storeId: this.storeId,
      requestId: newRequestId(),
      supplierId: "baker-foods",
      lines: [line],
    });
    try {
      await this.connection.call(Orders.createPurchaseOrder, request);
    } catch (error) {
      if (!hasReason(error, "INVALID_REQUEST")) throw error;
      const fields = error.violations.map(({ field }) => field);
      say("refused", `${error.reason}: ${fields.join(", ")}`);
    }
  }

  async place(order: PurchaseOrder): Promise<void> {
    const request = PlacePurchaseOrderRequest.create({
      storeId: this.storeId,
      purchaseOrderId: order.purchaseOrderId,
      requestId: newRequestId(),
      etag: order.etag,
    });
    const placed = present((await this.connection.call(Orders.placePurchaseOrder, request)).purchaseOrder);
    const since = present(placed.orderTime).toISOString();
    say("place", `${placed.number} is ${PurchaseOrderState[placed.state]} since ${since}`);
  }

  async receive(order: PurchaseOrder, deliveryNote: string, items: NewReceiptItem[]): Promise<void> {
    const request = ReceivePurchaseOrderRequest.create({
      storeId: this.storeId,
      purchaseOrderId: order.purchaseOrderId,
      requestId: newRequestId(),
      deliveryNote,
      items,
    });
    const received = await this.connection.call(Orders.receivePurchaseOrder, request);
    const pending = present(received.purchaseOrder).pendingLineCount;
    say("receive", `${deliveryNote} is booked; ${pending} lines are still pending`);
  }

  /** What is pending, page by page, and the etag to complete with. */
  private async preview(order: PurchaseOrder): Promise<PreviewCompletionResponse> {
    const request = PreviewCompletionRequest.create({
      storeId: this.storeId,
      purchaseOrderId: order.purchaseOrderId,
      rest: PendingDisposition.PENDING_DISPOSITION_BACK_ORDER,
      pageSize: 3,
    });
    const pages = await collect(this.connection.pages(Orders.previewCompletion, request));
    const lines = pages.flatMap((page) => page.pendingLines);
    const worth = lines.reduce((sum, line) => sum.plus(line.pendingCost ?? "0"), Big("0"));
    const last = present(pages.at(-1));
    const blockers = last.blockers.map(({ reason }) => reason).join(", ") || "none";
    say(
      "preview",
      `${lines.length} lines go to a back order, worth ${worth.toFixed(2)}; blockers: ${blockers}`,
    );
    return last;
  }

  /** Completes what somebody has looked at. If the order has changed meanwhile, they look again. */
  async complete(order: PurchaseOrder, decide: () => Promise<void>): Promise<CompletePurchaseOrderResponse> {
    for (let look = 1; look <= 3; look++) {
      const preview = await this.preview(order);
      await decide();
      const request = CompletePurchaseOrderRequest.create({
        storeId: this.storeId,
        purchaseOrderId: order.purchaseOrderId,
        requestId: newRequestId(),
        etag: present(preview.purchaseOrder).etag,
        rest: PendingDisposition.PENDING_DISPOSITION_BACK_ORDER,
      });
      try {
        const completed = await this.connection.call(Orders.completePurchaseOrder, request);
        const { number, lineCount } = present(completed.backOrder);
        say("complete", `${order.number}, with ${number} for ${lineCount} lines`);
        return completed;
      } catch (error) {
        if (!hasReason(error, "ETAG_MISMATCH")) throw error;
        say("complete", `${error.reason}: the order has changed since the preview`);
      }
    }
    throw new Error("the order changes all the time");
  }

  /** All outstanding lines of the store, page by page. */
  async outstanding(): Promise<void> {
    const request = ListOutstandingLinesRequest.create({ storeId: this.storeId, pageSize: 3 });
    let number = 0;
    for await (const page of this.connection.pages(Reports.listOutstandingLines, request)) {
      const lines = page.lines.map((line) => `${line.number} ${line.productId} ${line.pending}`);
      say("list", `page ${++number}: ${lines.join(", ")}`);
    }
  }

  /** Confirms the back order and cancels one line of it. Returns the number of the last event. */
  async changeBackOrder(purchaseOrderId: string): Promise<bigint> {
    await this.connection.call(
      Orders.confirmPurchaseOrder,
      ConfirmPurchaseOrderRequest.create({
        storeId: this.storeId,
        purchaseOrderId,
        requestId: newRequestId(),
        confirmRest: true,
      }),
    );
    const cancelled = await this.connection.call(
      Orders.cancelPurchaseOrderLines,
      CancelPurchaseOrderLinesRequest.create({
        storeId: this.storeId,
        purchaseOrderId,
        requestId: newRequestId(),
        lines: [
          LineCancellation.create({
            lineNumber: 8,
            reason: "not made any more",
            reasonCode: CancelReason.CANCEL_REASON_DISCONTINUED,
          }),
        ],
      }),
    );
    return cancelled.eventNumber;
  }

  /** Follows the store from the kept position up to the event `last`. Returns the numbers seen. */
  async follow(last: bigint): Promise<bigint[]> {
    const seen: bigint[] = [];
    const positions = new PositionFile(this.positions);
    const end = new AbortController();
    say("follow", `from event ${positions.get(this.storeId)}`);
    await follow(this.connection, {
      positions,
      stores: [this.storeId],
      handle: (event) => {
        seen.push(event.eventNumber);
        const kind = (EventType[event.type] ?? "of a kind that this client does not know").replace(
          "EVENT_TYPE_",
          "",
        );
        const about = event.purchaseOrder?.number ?? event.storeId;
        say("event", `${event.eventNumber}: ${kind} ${about} by ${event.actor}`);
        if (event.eventNumber === last) end.abort();
      },
      takeOver: (storeId) =>
        say("follow", `old events of ${storeId} are deleted: read its present state by lists here`),
      signal: end.signal,
    });
    return seen;
  }
}

/** The story from the first draft to the last event. */
async function tell(connection: Connection, storeId: string, positions: string): Promise<void> {
  const story = new Story(connection, storeId, positions);
  const begin = new PositionFile(positions).get(storeId);
  const order = await story.create();
  await story.refused();
  await story.place(order);
  await story.receive(order, "BF-20817", [
    NewReceiptItem.create({ lineNumber: 1, accepted: "40" }),
    NewReceiptItem.create({ lineNumber: 2, accepted: "18" }),
    NewReceiptItem.create({
      lineNumber: 3,
      accepted: "10",
      rejected: "2.5",
      rejectReason: RejectReason.REJECT_REASON_DAMAGED,
    }),
  ]);

  // While somebody looks at the first preview, a colleague books a second delivery.
  const secondDelivery = [NewReceiptItem.create({ lineNumber: 5, accepted: "60" })];
  const completed = await story.complete(order, async () => {
    if (secondDelivery.length > 0) await story.receive(order, "BF-20823", secondDelivery.splice(0));
  });
  await story.outstanding();

  // The back order's own event follows that of the completion.
  const seen = await story.follow(completed.eventNumber + 1n);
  const last = await story.changeBackOrder(present(completed.backOrder).purchaseOrderId);
  seen.push(...(await story.follow(last)));
  const expected = Array.from({ length: Number(last - begin) }, (_, index) => begin + BigInt(index) + 1n);
  assert.deepEqual(seen, expected, "each event comes once, and none is left out");
  say("follow", `events ${begin + 1n} to ${last}: each came once`);
}

/** Back orders are turned on by a platform operator: in development anybody can call as one. */
async function ensureBackOrders(
  connection: Connection,
  storeId: string,
  operator?: Connection,
): Promise<void> {
  const request = GetStoreRequest.create({ storeId });
  const store = present((await connection.call(Stores.getStore, request)).store);
  if (!store.backOrdersEnabled) {
    if (!operator) throw new Error(`back orders are off in ${storeId}: a platform operator can turn them on`);
    const enable = EnableBackOrdersRequest.create({ storeId, requestId: newRequestId() });
    await operator.call(Stores.enableBackOrders, enable);
  }
  say("store", `${storeId}: ${store.displayName}, ${store.currency}, back orders are on`);
}

/** Fields that are messages may be unset; these are set in every answer. */
function present<T>(value: T | undefined): T {
  assert(value !== undefined, "the answer lacks a field that is always set");
  return value;
}

function hasReason(error: unknown, reason: string): error is ServiceError {
  return error instanceof ServiceError && error.reason === reason;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

function say(what: string, text: string): void {
  console.log(`${what.padEnd(9)}${text}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      address: { type: "string", default: "127.0.0.1:50051" },
      // Who calls, for a server in development mode.
      principal: { type: "string" },
      // A file with a token; the connection uses TLS.
      "token-file": { type: "string" },
      // With --token-file: certificate authorities to trust, as PEM.
      ca: { type: "string" },
      store: { type: "string", default: "demo" },
      // The follower's file.
      positions: { type: "string", default: "positions.json" },
    },
  });
  const { address, principal, "token-file": tokenFile, ca, store, positions } = values;
  let connection: Connection;
  let operator: Connection | undefined;
  if (tokenFile) {
    const readToken = async () => (await readFile(tokenFile, "utf8")).trim();
    connection = Connection.production(address, readToken, ca ? await readFile(ca) : undefined);
  } else if (principal) {
    connection = Connection.development(address, principal);
    operator = Connection.development(address, "operator");
  } else {
    throw new Error("name the caller: --principal NAME or --token-file FILE");
  }
  try {
    await ensureBackOrders(connection, store, operator);
    await tell(connection, store, positions);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    console.error(String(error));
    if (error.reason === "POSITION_AHEAD") {
      console.error(`${positions} is of another database: delete it to begin anew`);
    }
    process.exitCode = 1;
  } finally {
    connection.close();
    operator?.close();
  }
}

await main();
