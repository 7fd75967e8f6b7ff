/** A store of its own for each test, of which alice is the owner. */

import {
  CreatePurchaseOrderRequest,
  ListPurchaseOrdersRequest,
  NewLine,
  PlacePurchaseOrderRequest,
  PurchaseOrderServiceService as Orders,
} from "../generated/purchasing/v1/purchase_order_service.js";
import { Unit, type PurchaseOrder } from "../generated/purchasing/v1/purchase_order.js";
import {
  CreateStoreRequest,
  EnableBackOrdersRequest,
  StoreServiceService as Stores,
} from "../generated/purchasing/v1/store_service.js";
import { newRequestId, type Connection } from "../src/connection.js";
import type { Server } from "./server.js";

let stores = 0;

export class Shop {
  private constructor(
    readonly server: Server,
    readonly alice: Connection,
    readonly storeId: string,
  ) {}

  static async open(server: Server): Promise<Shop> {
    const storeId = `store-${++stores}`;
    const operator = server.connect("operator");
    await openStore(operator, storeId);
    operator.close();
    return new Shop(server, server.connect("alice"), storeId);
  }

  close(): void {
    this.alice.close();
  }

  newOrder(lines = 1): CreatePurchaseOrderRequest {
    return CreatePurchaseOrderRequest.create({
      storeId: this.storeId,
      requestId: newRequestId(),
      supplierId: "baker-foods",
      lines: Array.from({ length: lines }, (_, index) =>
        NewLine.create({
          productId: `product-${index + 1}`,
          unit: Unit.UNIT_EACH,
          quantity: "10",
          unitCost: "1.25",
        }),
      ),
    });
  }

  async placedOrder(lines = 1): Promise<PurchaseOrder> {
    const { purchaseOrder } = await this.alice.call(Orders.createPurchaseOrder, this.newOrder(lines));
    const request = PlacePurchaseOrderRequest.create({
      storeId: this.storeId,
      purchaseOrderId: purchaseOrder!.purchaseOrderId,
      requestId: newRequestId(),
    });
    return (await this.alice.call(Orders.placePurchaseOrder, request)).purchaseOrder!;
  }

  async orderCount(): Promise<number> {
    const request = ListPurchaseOrdersRequest.create({ storeId: this.storeId, pageSize: 1000 });
    return (await this.alice.call(Orders.listPurchaseOrders, request)).purchaseOrders.length;
  }
}

/** Creates a store in which back orders are on. */
export async function openStore(operator: Connection, storeId: string): Promise<void> {
  const create = CreateStoreRequest.create({
    storeId,
    requestId: newRequestId(),
    currency: "EUR",
    timeZone: "Europe/Amsterdam",
    ownerPrincipal: "alice",
  });
  await operator.call(Stores.createStore, create);
  const enable = EnableBackOrdersRequest.create({ storeId, requestId: newRequestId() });
  await operator.call(Stores.enableBackOrders, enable);
}
