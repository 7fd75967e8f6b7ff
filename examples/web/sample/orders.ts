// Orders to look at, made as another program would make them.

import type { Api } from "../src/api.js";
import { connect, newRequestId } from "../src/api.js";
import type { PurchaseOrder } from "../src/generated/purchasing/v1/purchase_order_pb.js";
import { Unit } from "../src/generated/purchasing/v1/purchase_order_pb.js";

export interface Goods {
  productId: string;
  description: string;
  unit: Unit;
  quantity: string;
}

export const GROCERIES: Goods[] = [
  { productId: "rice", description: "Rice, 5 kg bag", unit: Unit.EACH, quantity: "40" },
  { productId: "oil", description: "Olive oil, 1 l", unit: Unit.BOTTLE, quantity: "24" },
  { productId: "parmesan", description: "Parmesan", unit: Unit.KILOGRAM, quantity: "12.5" },
];

/** Turns back orders on. Only a platform operator may, and only while every order of the store is closed. */
export async function enableBackOrders(service: string, storeId: string): Promise<void> {
  await connect(service, () => "operator").stores.enableBackOrders({ storeId, requestId: newRequestId() });
}

export async function createDraft(api: Api, storeId: string, goods: Goods[]): Promise<PurchaseOrder> {
  const { purchaseOrder } = await api.orders.createPurchaseOrder({
    storeId,
    requestId: newRequestId(),
    supplierId: "baker-foods",
    lines: goods.map((line) => ({ ...line, unitCost: "4.75" })),
  });
  return shown(purchaseOrder);
}

export async function place(api: Api, draft: PurchaseOrder): Promise<PurchaseOrder> {
  const { storeId, purchaseOrderId, etag } = draft;
  const { purchaseOrder } = await api.orders.placePurchaseOrder({
    storeId,
    purchaseOrderId,
    etag,
    requestId: newRequestId(),
  });
  return shown(purchaseOrder);
}

/** Receives these quantities, line by line. */
export async function receive(api: Api, order: PurchaseOrder, ...accepted: string[]): Promise<PurchaseOrder> {
  const { storeId, purchaseOrderId } = order;
  const { purchaseOrder } = await api.orders.receivePurchaseOrder({
    storeId,
    purchaseOrderId,
    requestId: newRequestId(),
    items: accepted.map((quantity, index) => ({ lineNumber: index + 1, accepted: quantity })),
  });
  return shown(purchaseOrder);
}

/** Every mutation answers with the order as it is afterwards. */
function shown(order: PurchaseOrder | undefined): PurchaseOrder {
  if (order === undefined) {
    throw new Error("the service answered without an order");
  }
  return order;
}
