// One purchase order: its lines, its receipts, its chain and its products' stock, and what its reader may do with it.

import type { Api } from "./api.js";
import { allPages } from "./api.js";
import { el, table } from "./dom.js";
import { quantity, quantityCell, rejectReason, stateBadge, time } from "./format.js";
import type { InventoryLevel } from "./generated/purchasing/v1/inventory_service_pb.js";
import type {
  PurchaseOrder,
  PurchaseOrderLine,
  Receipt,
} from "./generated/purchasing/v1/purchase_order_pb.js";
import { PurchaseOrderAction } from "./generated/purchasing/v1/purchase_order_pb.js";
import type { ChainLine } from "./generated/purchasing/v1/purchase_order_service_pb.js";
import { PurchaseOrderView } from "./generated/purchasing/v1/purchase_order_service_pb.js";
import type { Store } from "./generated/purchasing/v1/store_service_pb.js";

const PAGE_SIZE = 1000;

/** All that the screen of one order shows. */
export interface OrderScreen {
  store: Store;
  order: PurchaseOrder;
  lines: PurchaseOrderLine[];
  receipts: Receipt[];
  chain: { orders: PurchaseOrder[]; lines: ChainLine[] };
  levels: InventoryLevel[];
}

/** What the screen offers, if the order allows it. */
export interface OrderActions {
  place: (button: HTMLButtonElement) => void;
  complete: (button: HTMLButtonElement) => void;
  /** The form to receive goods, which stands among the other parts of the screen. */
  receiveForm: () => HTMLElement;
}

export async function loadOrder(api: Api, store: Store, purchaseOrderId: string): Promise<OrderScreen> {
  const named = { storeId: store.storeId, purchaseOrderId };
  const paged = (pageToken: string) => ({ ...named, pageSize: PAGE_SIZE, pageToken });
  const [{ purchaseOrder, lines }, receiptPages, chainPages] = await Promise.all([
    api.orders.getPurchaseOrder({ ...named, view: PurchaseOrderView.FULL }),
    allPages((token) => api.orders.listReceipts(paged(token))),
    allPages((token) => api.orders.getBackOrderChain(paged(token))),
  ]);
  if (purchaseOrder === undefined) {
    throw new Error("GetPurchaseOrder answered without an order");
  }
  const receipts = receiptPages.flatMap((page) => page.receipts);
  return {
    store,
    order: purchaseOrder,
    lines,
    receipts: await withItems(api, receipts),
    chain: {
      orders: chainPages.flatMap((page) => page.purchaseOrders),
      lines: chainPages.flatMap((page) => page.lines),
    },
    levels: await loadLevels(api, store.storeId, lines),
  };
}

/** Reads the items of receipts, which lists leave out. */
async function withItems(api: Api, receipts: Receipt[]): Promise<Receipt[]> {
  const answers = await Promise.all(
    receipts.map(({ storeId, purchaseOrderId, receiptNumber }) =>
      api.orders.getReceipt({ storeId, purchaseOrderId, receiptNumber }),
    ),
  );
  return answers.flatMap(({ receipt }) => receipt ?? []);
}

async function loadLevels(api: Api, storeId: string, lines: PurchaseOrderLine[]): Promise<InventoryLevel[]> {
  const products = [...new Set(lines.map((line) => line.productId))];
  const levels: InventoryLevel[] = [];
  // One request names at most so many products.
  for (let first = 0; first < products.length; first += PAGE_SIZE) {
    const productIds = products.slice(first, first + PAGE_SIZE);
    const pages = await allPages((pageToken) =>
      api.inventory.listInventoryLevels({ storeId, productIds, pageToken, pageSize: PAGE_SIZE }),
    );
    levels.push(...pages.flatMap((page) => page.inventoryLevels));
  }
  return levels;
}

export function orderLink(order: PurchaseOrder): HTMLElement {
  return el("a", { href: `#/orders/${order.purchaseOrderId}` }, order.number);
}

export function orderView(screen: OrderScreen, actions: OrderActions): HTMLElement {
  const allows = (action: PurchaseOrderAction) => screen.order.allowedActions.includes(action);
  return el(
    "article",
    {},
    header(screen),
    buttons(allows, actions),
    linesTable(screen),
    allows(PurchaseOrderAction.RECEIVE) ? actions.receiveForm() : undefined,
    receiptsTable(screen),
    chainTables(screen),
    stockTable(screen.levels),
  );
}

function header({ store, order, chain }: OrderScreen): HTMLElement {
  const facts: [string, Node | string | undefined][] = [
    ["Supplier", order.supplierId],
    ["Reference", order.supplierReference || undefined],
    ["Created", time(order.createTime, store.timeZone)],
    ["Ordered", time(order.orderTime, store.timeZone)],
    ["Expected", order.expectedDate || undefined],
    ["Completed", time(order.completeTime, store.timeZone)],
    ["Completed by", order.completedBy || undefined],
    ["Cancelled", time(order.cancelTime, store.timeZone)],
    ["Follows", linkTo(chain.orders, order.parentPurchaseOrderId)],
    ["Back order", linkTo(chain.orders, order.backOrderPurchaseOrderId)],
  ];
  const shown = facts.filter(([, fact]) => fact !== undefined);
  return el(
    "header",
    {},
    el("h2", {}, order.number, " ", stateBadge(order.state)),
    el("dl", {}, ...shown.map(([name, fact]) => el("div", {}, el("dt", {}, name), el("dd", {}, fact)))),
  );
}

function linkTo(orders: PurchaseOrder[], id: string): HTMLElement | undefined {
  const order = orders.find((order) => order.purchaseOrderId === id);
  return order === undefined ? undefined : orderLink(order);
}

/** A button for each allowed action. What is not allowed has no button at all, not a disabled one. */
function buttons(allows: (action: PurchaseOrderAction) => boolean, actions: OrderActions): HTMLElement {
  const button = (text: string, press: (button: HTMLButtonElement) => void) => {
    const made = el("button", { type: "button" }, text);
    made.onclick = () => press(made);
    return made;
  };
  return el(
    "div",
    { className: "buttons" },
    allows(PurchaseOrderAction.PLACE) ? button("Place", actions.place) : undefined,
    allows(PurchaseOrderAction.COMPLETE) ? button("Complete", actions.complete) : undefined,
  );
}

function linesTable({ store, order, lines }: OrderScreen): HTMLElement {
  const rows = lines.map((line) => {
    const cell = (amount: string, when?: Node | string) => quantityCell(amount, line.unit, when);
    return [
      String(line.lineNumber),
      product(line),
      cell(line.ordered, time(order.orderTime, store.timeZone)),
      cell(line.received, time(line.lastReceiveTime, store.timeZone)),
      cell(line.pending, line.expectedDate === "" ? undefined : `expected ${line.expectedDate}`),
      cell(line.backOrdered, time(line.backOrderTime, store.timeZone)),
      cell(line.cancelled),
    ];
  });
  const columns = ["Line", "Product", "Ordered", "Received", "Pending", "Back-ordered", "Cancelled"];
  return scrolled(table("Lines", columns, rows));
}

export function product(line: { description: string; productId: string }): HTMLElement {
  return el("span", {}, line.description || line.productId, el("small", {}, line.productId));
}

function receiptsTable({ store, lines, receipts }: OrderScreen): HTMLElement {
  if (receipts.length === 0) {
    return el("p", { className: "empty" }, "No receipts yet.");
  }
  const rows = receipts.map((receipt) => [
    String(receipt.receiptNumber),
    time(receipt.receiveTime, store.timeZone),
    el("span", {}, time(receipt.bookTime, store.timeZone), el("small", {}, `by ${receipt.bookedBy}`)),
    receipt.deliveryNote,
    receiptItems(receipt, lines),
    receipt.voidTime === undefined ? "active" : `voided: ${receipt.voidReason}`,
  ]);
  const columns = ["Receipt", "Arrived", "Recorded", "Delivery note", "Items", "State"];
  return scrolled(table("Receipts", columns, rows));
}

function receiptItems(receipt: Receipt, lines: PurchaseOrderLine[]): HTMLElement {
  const items = receipt.items.map((item) => {
    const line = lines.find((line) => line.lineNumber === item.lineNumber);
    const amount = (text: string) => (line === undefined ? text : quantity(text, line.unit));
    const rejected =
      item.rejected === "0" ? "" : `, ${amount(item.rejected)} rejected (${rejectReason(item.rejectReason)})`;
    return el("li", {}, `${line?.description ?? item.lineNumber}: ${amount(item.accepted)}${rejected}`);
  });
  return el("ul", {}, ...items);
}

/** The chain's orders and its lines, added up over them. An order without a back order is a chain of one. */
function chainTables({ store, order, chain }: OrderScreen): HTMLElement {
  const orders = chain.orders.map((member) => [
    member.purchaseOrderId === order.purchaseOrderId
      ? el("strong", {}, member.number, el("small", {}, "this order"))
      : orderLink(member),
    stateBadge(member.state),
    time(member.orderTime, store.timeZone),
    `${member.pendingLineCount} of ${member.lineCount}`,
  ]);
  const lines = chain.lines.map((line) => [
    String(line.lineNumber),
    line.description || line.productId,
    quantityCell(line.ordered, line.unit),
    quantityCell(line.received, line.unit),
    quantityCell(line.onHand, line.unit),
    quantityCell(line.cancelled, line.unit),
    quantityCell(line.pending, line.unit),
  ]);
  return el(
    "section",
    { className: "chain" },
    scrolled(table("Chain of back orders", ["Order", "State", "Ordered", "Lines pending"], orders)),
    scrolled(
      table(
        "Chain, line by line",
        ["Line", "Product", "Ordered", "Received", "Put on hand", "Cancelled", "Pending"],
        lines,
      ),
    ),
  );
}

function stockTable(levels: InventoryLevel[]): HTMLElement {
  const rows = levels.map((level) => [
    level.productId,
    quantityCell(level.onHand, level.unit),
    quantityCell(level.staged, level.unit),
    quantityCell(level.onOrder, level.unit),
    quantityCell(level.backOrdered, level.unit),
  ]);
  const columns = ["Product", "On hand", "Staged", "On order", "Of that on back orders"];
  return scrolled(table("Stock of these products", columns, rows));
}

/** A wide table scrolls by itself, and the page does not. */
function scrolled(content: HTMLElement): HTMLElement {
  return el("div", { className: "scrolled" }, content);
}
