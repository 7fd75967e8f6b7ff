// The service as the page calls it: the clients, ids of intentions, lists of several pages, and errors.

import type { Client, Interceptor } from "@connectrpc/connect";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { BadRequestSchema, ErrorInfoSchema } from "./generated/google/rpc/error_details_pb.js";
import { InventoryService } from "./generated/purchasing/v1/inventory_service_pb.js";
import { PurchaseOrderService } from "./generated/purchasing/v1/purchase_order_service_pb.js";
import { StoreService } from "./generated/purchasing/v1/store_service_pb.js";

const DEADLINE_MS = 10_000;

export interface Api {
  orders: Client<typeof PurchaseOrderService>;
  inventory: Client<typeof InventoryService>;
  stores: Client<typeof StoreService>;
}

/** Makes the clients. A service in development mode reads from `x-principal` who calls; `user` is asked at each call. */
export function connect(service: string, user: () => string): Api {
  const nameUser: Interceptor = (next) => (request) => {
    request.header.set("x-principal", user());
    return next(request);
  };
  const transport = createGrpcWebTransport({
    baseUrl: service,
    interceptors: [nameUser],
    defaultTimeoutMs: DEADLINE_MS,
  });
  return {
    orders: createClient(PurchaseOrderService, transport),
    inventory: createClient(InventoryService, transport),
    stores: createClient(StoreService, transport),
  };
}

/**
 * Makes the request id of one intention. It is made when a form or dialog opens, not when its button is pressed: what
 * is sent twice, by a double click or because an answer was lost, has the same id and is done once.
 */
export function newRequestId(): string {
  return crypto.randomUUID();
}

/** Reads a list to its end. The service may put fewer rows on a page than it was asked for, so only the token counts. */
export async function allPages<P extends { nextPageToken: string }>(
  read: (pageToken: string) => Promise<P>,
): Promise<[P, ...P[]]> {
  const pages: [P, ...P[]] = [await read("")];
  for (let token = pages[0].nextPageToken; token !== "";) {
    const page = await read(token);
    pages.push(page);
    token = page.nextPageToken;
  }
  return pages;
}

/** A field that breaks its rule: its path in the request, such as `items[0].accepted`, and the rule. */
export interface Violation {
  field: string;
  description: string;
}

/** Why a call failed. */
export interface Problem {
  /** The stable name of the cause, by which a program decides. */
  reason: string;
  /** The same for people. */
  message: string;
  violations: Violation[];
}

/** What an error of a call says by its details, `google.rpc.ErrorInfo` and `google.rpc.BadRequest`. */
export function problemOf(error: unknown): Problem {
  const failed = ConnectError.from(error);
  const info = failed.findDetails(ErrorInfoSchema).find((detail) => detail.domain === "purchasing.v1");
  if (info === undefined) {
    return withoutDetails(failed);
  }
  const violations = failed.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return { reason: info.reason, message: failed.rawMessage, violations };
}

/** Whether the order has changed since it was read. */
export function isChanged(problem: Problem): boolean {
  return problem.reason === "ETAG_MISMATCH";
}

/** Without details it was not the service that answered, but the browser or something between. */
function withoutDetails(failed: ConnectError): Problem {
  if (failed.code === Code.DeadlineExceeded) {
    const message = "There was no answer in time. It may have been done: try again, it is not done twice.";
    return { reason: "DEADLINE_EXCEEDED", message, violations: [] };
  }
  const message =
    "There was no answer. The connection was lost, the service is not running, or it does not allow pages from " +
    `${location.origin}. A change may have been made: try again, it is not made twice.`;
  return { reason: "NO_ANSWER", message, violations: [] };
}
