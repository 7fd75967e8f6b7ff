// Fills the store that config.json names: a draft, an order that is placed, and one of which a part has come.

import { readFile } from "node:fs/promises";

import { connect } from "../src/api.js";
import { createDraft, enableBackOrders, GROCERIES, place, receive } from "./orders.js";

const config = JSON.parse(await readFile("public/config.json", "utf8")) as { service: string; store: string };
const api = connect(config.service, () => "alice");

const { store } = await api.stores.getStore({ storeId: config.store });
if (store?.backOrdersEnabled === false && store.openPurchaseOrderCount === 0n) {
  await enableBackOrders(config.service, config.store);
}
const orders = [
  await createDraft(api, config.store, GROCERIES),
  await place(api, await createDraft(api, config.store, GROCERIES)),
  await receive(api, await place(api, await createDraft(api, config.store, GROCERIES)), "40", "18", "10"),
];
console.log(orders.map((order) => order.number).join("\n"));
