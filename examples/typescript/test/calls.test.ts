/** Refusals decoded, pages, and a call that breaks at the worst moment and has one effect. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { status, type handleUnaryCall } from "@grpc/grpc-js";
import { PendingDisposition, PurchaseOrder } from "../generated/purchasing/v1/purchase_order.js";
import {
  CompletePurchaseOrderRequest,
  CreatePurchaseOrderResponse,
  GetPurchaseOrderRequest,
  ListPurchaseOrdersRequest,
  PlacePurchaseOrderRequest,
  PurchaseOrderServiceService as Orders,
  type CreatePurchaseOrderRequest,
} from "../generated/purchasing/v1/purchase_order_service.js";
import {
  ListOutstandingLinesRequest,
  ReportServiceService as Reports,
} from "../generated/purchasing/v1/report_service.js";
import { GetStoreRequest, StoreServiceService as Stores } from "../generated/purchasing/v1/store_service.js";
import { Connection, newRequestId } from "../src/connection.js";
import { ServiceError } from "../src/errors.js";
import { Proxy, Server, waitUntil } from "./server.js";
import { Shop } from "./shop.js";
import { refusal, StandIn } from "./standin.js";

let server: Server;
let shop: Shop;
before(async () => (server = await Server.start()));
after(() => server.stop());
beforeEach(async () => (shop = await Shop.open(server)));
afterEach(() => shop.close());

async function refused(call: Promise<unknown>): Promise<ServiceError> {
  const error = await call.then(
    () => assert.fail("the call is refused"),
    (failed: unknown) => failed,
  );
  assert(error instanceof ServiceError, String(error));
  return error;
}

describe("refusals", () => {
  test("completing is refused to who lacks the permission", async () => {
    const bob = server.connect("bob");
    const request = CompletePurchaseOrderRequest.create({
      storeId: "demo",
      purchaseOrderId: newRequestId(),
      requestId: newRequestId(),
      rest: PendingDisposition.PENDING_DISPOSITION_BACK_ORDER,
    });
    const error = await refused(bob.call(Orders.completePurchaseOrder, request));
    bob.close();
    assert.equal(error.code, status.PERMISSION_DENIED);
    assert.equal(error.reason, "PERMISSION_MISSING");
    assert.deepEqual({ ...error.metadata }, { permission: "COMPLETE_PURCHASE_ORDERS" });
  });

  test("violations name their fields", async () => {
    const request = shop.newOrder(2);
    request.lines[0]!.quantity = "1.23456";
    request.lines[1]!.unitCost = "-1";
    const error = await refused(shop.alice.call(Orders.createPurchaseOrder, request));
    assert.equal(error.code, status.INVALID_ARGUMENT);
    assert.equal(error.reason, "INVALID_REQUEST");
    assert.equal(error.metadata["violations_total"], "2");
    const fields = error.violations.map(({ field }) => field);
    assert.deepEqual(fields, ["lines[0].quantity", "lines[1].unit_cost"]);
  });

  test("an old etag is aborted", async () => {
    const { purchaseOrder } = await shop.alice.call(Orders.createPurchaseOrder, shop.newOrder());
    const request = PlacePurchaseOrderRequest.create({
      storeId: shop.storeId,
      purchaseOrderId: purchaseOrder!.purchaseOrderId,
      requestId: newRequestId(),
      etag: "99",
    });
    const error = await refused(shop.alice.call(Orders.placePurchaseOrder, request));
    assert.equal(error.code, status.ABORTED);
    assert.equal(error.reason, "ETAG_MISMATCH");
  });

  test("a change without a request id is not sent", async () => {
    const request = { ...shop.newOrder(), requestId: "" };
    await assert.rejects(shop.alice.call(Orders.createPurchaseOrder, request), /needs a requestId/);
    assert.equal(await shop.orderCount(), 0);
  });
});

describe("pages", () => {
  test("hold every line once", async () => {
    const order = await shop.placedOrder(7);
    const request = ListOutstandingLinesRequest.create({ storeId: shop.storeId, pageSize: 3 });
    const sizes: number[] = [];
    const lines: string[] = [];
    for await (const page of shop.alice.pages(Reports.listOutstandingLines, request)) {
      sizes.push(page.lines.length);
      lines.push(...page.lines.map((line) => `${line.purchaseOrderId} ${line.lineNumber}`));
    }
    assert.deepEqual(sizes, [3, 3, 1]);
    assert.deepEqual(
      lines,
      [1, 2, 3, 4, 5, 6, 7].map((number) => `${order.purchaseOrderId} ${number}`),
    );
  });

  test("of an empty list are one empty page", async () => {
    const request = ListPurchaseOrdersRequest.create({ storeId: shop.storeId, pageSize: 2 });
    const sizes: number[] = [];
    for await (const page of shop.alice.pages(Orders.listPurchaseOrders, request)) {
      sizes.push(page.purchaseOrders.length);
    }
    assert.deepEqual(sizes, [0]);
  });
});

describe("retries", () => {
  let proxy: Proxy;
  let client: Connection;
  beforeEach(async () => {
    proxy = await Proxy.start(server.address);
    client = Connection.development(proxy.address, "alice");
  });
  afterEach(() => {
    client.close();
    proxy.close();
  });

  /** Creates an order through the proxy, whose answer is held back until `onceDone` has been called. */
  async function createWithoutAnswer(milliseconds: number, onceDone: () => void) {
    // The connection is there before answers are held back: its handshake needs some.
    await client.call(Stores.getStore, GetStoreRequest.create({ storeId: shop.storeId }));
    proxy.hold();
    const answer = client.call(Orders.createPurchaseOrder, shop.newOrder(), milliseconds);
    // By a connection of its own: the order exists before the first attempt fails.
    await waitUntil(async () => (await shop.orderCount()) === 1, "the order is created");
    onceDone();
    return (await answer).purchaseOrder!;
  }

  for (const reset of [false, true]) {
    test(`a connection that breaks before the answer, by ${reset ? "RST" : "FIN"}`, async () => {
      const answered = await createWithoutAnswer(10_000, () => proxy.cut(reset));
      assert.equal(await shop.orderCount(), 1);
      const request = GetPurchaseOrderRequest.create({
        storeId: shop.storeId,
        purchaseOrderId: answered.purchaseOrderId,
      });
      const { purchaseOrder } = await shop.alice.call(Orders.getPurchaseOrder, request);
      assert.equal(purchaseOrder!.number, "PO-000001");
      assert.equal(answered.number, "PO-000001");
    });
  }

  test("a deadline that passes before the answer", async () => {
    // The answers flow again when the first attempt has been given up.
    const answered = await createWithoutAnswer(1_000, () => setTimeout(() => proxy.release(), 1_500));
    assert.equal(await shop.orderCount(), 1);
    assert.equal(answered.number, "PO-000001");
  });

  test("a call without an answer ends by its deadline, and may be made again", async () => {
    await client.call(Stores.getStore, GetStoreRequest.create({ storeId: shop.storeId }));
    const request = shop.newOrder();
    proxy.hold();
    const error = await refused(client.call(Orders.createPurchaseOrder, request, 300));
    assert.equal(error.code, status.DEADLINE_EXCEEDED);
    proxy.release();
    const { purchaseOrder } = await client.call(Orders.createPurchaseOrder, request);
    assert.equal(purchaseOrder!.number, "PO-000001");
    assert.equal(await shop.orderCount(), 1);
  });

  /** Answers with the error so many times, and then with success; keeps the requests. */
  async function scripted(code: status, reason: string, times: number) {
    const requests: CreatePurchaseOrderRequest[] = [];
    const createPurchaseOrder: handleUnaryCall<CreatePurchaseOrderRequest, CreatePurchaseOrderResponse> = (
      call,
      answer,
    ) => {
      requests.push(call.request);
      if (requests.length <= times) answer(refusal(code, reason));
      else answer(null, CreatePurchaseOrderResponse.create({ purchaseOrder: PurchaseOrder.create() }));
    };
    return { requests, standIn: await StandIn.start(Orders, { createPurchaseOrder }) };
  }

  for (const [code, reason] of [
    [status.RESOURCE_EXHAUSTED, "QUEUE_FULL"],
    [status.UNKNOWN, "OUTCOME_UNKNOWN"],
    [status.UNAVAILABLE, "DATABASE_UNAVAILABLE"],
  ] as const) {
    test(`${reason} is retried with the same request id`, async () => {
      const { requests, standIn } = await scripted(code, reason, 2);
      const request = shop.newOrder();
      await standIn.client.call(Orders.createPurchaseOrder, request).finally(() => standIn.close());
      assert.deepEqual(
        requests.map(({ requestId }) => requestId),
        [request.requestId, request.requestId, request.requestId],
      );
    });
  }

  for (const [code, reason] of [
    [status.RESOURCE_EXHAUSTED, "STORAGE_FULL"],
    [status.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE"],
    [status.ABORTED, "ETAG_MISMATCH"],
    [status.INTERNAL, "INTERNAL"],
  ] as const) {
    test(`${reason} is not retried`, async () => {
      const { requests, standIn } = await scripted(code, reason, 1);
      const call = standIn.client.call(Orders.createPurchaseOrder, shop.newOrder());
      const error = await refused(call).finally(() => standIn.close());
      assert.equal(error.reason, reason);
      assert.equal(requests.length, 1);
    });
  }
});
