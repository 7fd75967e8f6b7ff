// The page in a real browser, against the real service: each test is a story of its own orders.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";

import type { Goods } from "../sample/orders.js";
import { createDraft, enableBackOrders, place, receive } from "../sample/orders.js";
import type { Api } from "../src/api.js";
import { connect, newRequestId } from "../src/api.js";
import type { PurchaseOrder } from "../src/generated/purchasing/v1/purchase_order_pb.js";
import { PurchaseOrderState, Unit } from "../src/generated/purchasing/v1/purchase_order_pb.js";
import { Screens } from "./screens.js";
import type { PageServer } from "./service.js";
import { servePage, Service } from "./service.js";

const CHROMIUM = "/usr/bin/chromium";
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const OFFLINE = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
const COMPLETE = "/purchasing.v1.PurchaseOrderService/CompletePurchaseOrder";

const isThere = existsSync(CHROMIUM);
if (!isThere && process.env["CI"]) {
  throw new Error(`${CHROMIUM} is missing: in CI the page must be tested`);
}
const skip = isThere ? false : `NOT TESTED: there is no ${CHROMIUM}; install Debian's package chromium`;

describe("the page", { skip }, () => {
  let allowed: PageServer;
  let foreign: PageServer;
  let service: Service;
  let browser: Browser;
  let alice: Api;

  before(async () => {
    allowed = await servePage();
    foreign = await servePage();
    service = await Service.start(allowed.origin);
    alice = connect(service.address, () => "alice");
    await enableBackOrders(service.address, "demo");
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET, ...OFFLINE] });
  });

  after(async () => {
    await browser?.close();
    await foreign?.close();
    await allowed?.close();
    const verified = await service?.stop();
    assert.match(verified ?? "", /every invariant holds/);
  });

  /** Three lines of products that no other story has. */
  function goods(story: string): Goods[] {
    return [
      { productId: `${story}-rice`, description: "Rice", unit: Unit.EACH, quantity: "40" },
      { productId: `${story}-oil`, description: "Olive oil", unit: Unit.BOTTLE, quantity: "24" },
      { productId: `${story}-parmesan`, description: "Parmesan", unit: Unit.KILOGRAM, quantity: "12.5" },
    ];
  }

  /** An order of which a part has come: all of the rice, 18 of 24 bottles, 10 of 12.5 kg. */
  async function partlyReceived(story: string): Promise<PurchaseOrder> {
    const placed = await place(alice, await createDraft(alice, "demo", goods(story)));
    return receive(alice, placed, "40", "18", "10");
  }

  function open(order: PurchaseOrder): Promise<Screens> {
    const { storeId, purchaseOrderId } = order;
    return Screens.open(browser, {
      origin: allowed.origin,
      service: service.address,
      store: storeId,
      order: purchaseOrderId,
    });
  }

  async function read({ storeId, purchaseOrderId }: PurchaseOrder): Promise<PurchaseOrder> {
    const { purchaseOrder } = await alice.orders.getPurchaseOrder({ storeId, purchaseOrderId });
    assert.ok(purchaseOrder);
    return purchaseOrder;
  }

  async function onHand(productId: string): Promise<string | undefined> {
    const { inventoryLevel } = await alice.inventory.getInventoryLevel({ storeId: "demo", productId });
    return inventoryLevel?.onHand;
  }

  test("an order is placed, received in part and completed, and what is missing is on a back order", async () => {
    const draft = await createDraft(alice, "demo", goods("story"));
    const screens = await Screens.open(browser, { origin: allowed.origin, service: service.address });
    const { page } = screens;

    await page.getByRole("link", { name: draft.number, exact: true }).click();
    await page.getByRole("heading", { name: `${draft.number} Draft` }).waitFor();
    assert.deepEqual(await screens.buttons(), ["Place"]);
    await screens.press("Place");
    await screens.notice(`${draft.number} is on order.`).waitFor();

    await screens.as("bob");
    assert.deepEqual(await screens.buttons(), ["Receive"]);
    await screens.receive({ Rice: "40", "Olive oil": "18", Parmesan: "10" });
    await screens.notice("Receipt 1 was recorded.").waitFor();
    assert.deepEqual(await screens.column("Receipts", "Items"), [
      "Rice: 40 pcs | Olive oil: 18 bottles | Parmesan: 10 kg",
    ]);
    // Bob may not complete: there is no such button, not even one that is hidden or disabled.
    assert.deepEqual(await screens.buttons(), ["Receive"]);
    assert.equal(await page.locator("button", { hasText: /complete/i }).count(), 0);
    assert.deepEqual(await screens.column("Stock of these products", "On hand"), [
      "0 bottles",
      "0 kg",
      "0 pcs",
    ]);

    await screens.as("alice");
    assert.deepEqual(await screens.buttons(), ["Complete", "Receive"]);
    await screens.press("Complete");
    await screens.box("Olive oil").waitFor();
    assert.deepEqual(await screens.column("Pending lines", "What happens"), [
      "6 bottles back-ordered",
      "2.5 kg back-ordered",
    ]);
    assert.ok(await screens.box("Olive oil").isChecked());
    await screens.box("Parmesan").uncheck();
    await page.getByText("2.5 kg cancelled").waitFor();
    await page.getByText(`The back order ${draft.number}-B1 will have 1 line.`).waitFor();
    // What is cancelled needs a reason.
    assert.ok(await screens.confirm.isDisabled());
    await page.getByLabel("Why is the rest cancelled?").fill("no longer made");
    await screens.confirm.click();

    const completed = screens.notice(`${draft.number} is completed.`);
    await completed.waitFor();
    assert.deepEqual(await screens.buttons(), []);
    assert.deepEqual(await screens.column("Stock of these products", "On hand"), [
      "18 bottles",
      "10 kg",
      "40 pcs",
    ]);
    assert.deepEqual(await screens.column("Lines", "Cancelled"), ["0 pcs", "0 bottles", "2.5 kg"]);

    await completed.getByRole("link", { name: `${draft.number}-B1` }).click();
    await page.getByRole("heading", { name: `${draft.number}-B1 On order` }).waitFor();
    const [line, ...others] = await screens.rows("Lines");
    assert.equal(others.length, 0);
    assert.match(line?.["Ordered"] ?? "", /^6 bottles \| /);
    assert.equal(line?.["Pending"], "6 bottles");
    assert.deepEqual(await screens.column("Chain of back orders", "Order"), [
      draft.number,
      `${draft.number}-B1 | this order`,
    ]);
    assert.deepEqual(await screens.column("Chain, line by line", "Put on hand"), [
      "40 pcs",
      "18 bottles",
      "10 kg",
    ]);
    assert.deepEqual(await screens.buttons(), ["Receive"]);

    // The service says the same.
    const parent = await read(draft);
    assert.equal(parent.state, PurchaseOrderState.COMPLETED);
    assert.equal(parent.cancelReason, "no longer made");
    assert.equal(await onHand("story-oil"), "18");
    await screens.close();
  });

  test("each quantity stands with its time in the store's time zone", async () => {
    const order = await partlyReceived("times");
    const screens = await open(order);
    const amsterdam = new Intl.DateTimeFormat("en-GB", {
      timeZone: "Europe/Amsterdam",
      dateStyle: "medium",
      timeStyle: "short",
    });
    const clock = (seconds: bigint | undefined) => amsterdam.format(new Date(Number(seconds) * 1000));
    await screens.press("Complete");
    await screens.confirm.click();
    await screens.notice("is completed").waitFor();

    const { lines } = await alice.orders.listPurchaseOrderLines({
      storeId: "demo",
      purchaseOrderId: order.purchaseOrderId,
    });
    const oil = (await screens.rows("Lines"))[1];
    assert.equal(oil?.["Ordered"], `24 bottles | ${clock(order.orderTime?.seconds)}`);
    assert.equal(oil?.["Received"], `18 bottles | ${clock(lines[1]?.lastReceiveTime?.seconds)}`);
    assert.equal(oil?.["Pending"], "0 bottles");
    assert.equal(oil?.["Back-ordered"], `6 bottles | ${clock(lines[1]?.backOrderTime?.seconds)}`);
    await screens.close();
  });

  test("a completion of what has changed meanwhile is refused, and the order is shown as it is now", async () => {
    const order = await partlyReceived("changed");
    const screens = await open(order);
    await screens.press("Complete");
    await screens.box("Olive oil").waitFor();
    assert.ok(await screens.confirm.isEnabled());

    await receive(alice, order, "0", "4");
    await screens.confirm.click();

    await screens.notice("Somebody else has changed this order").waitFor();
    assert.equal(await screens.page.getByRole("dialog").count(), 0);
    assert.match((await screens.column("Lines", "Received"))[1] ?? "", /^22 bottles/);
    assert.equal((await read(order)).state, PurchaseOrderState.RECEIVING);
    // The user decides again, on what is shown now.
    await screens.press("Complete");
    await screens.box("Olive oil").waitFor();
    assert.equal((await screens.column("Pending lines", "Pending"))[0], "2 bottles");
    await screens.close();
  });

  test("a double click completes once", async () => {
    const order = await partlyReceived("twice");
    const screens = await open(order);
    const sent: string[] = [];
    screens.page.on("request", (request) => sent.push(new URL(request.url()).pathname));
    await screens.press("Complete");
    await screens.confirm.dblclick();
    await screens.notice("is completed").waitFor();

    assert.equal(sent.filter((path) => path === COMPLETE).length, 1);
    assert.equal(await onHand("twice-oil"), "18");
    await screens.close();
  });

  test("a completion whose answer is lost is confirmed again and done once", async () => {
    const order = await partlyReceived("lost");
    const screens = await open(order);
    const bodies: Buffer[] = [];
    await screens.page.route(`**${COMPLETE}`, async (route) => {
      bodies.push(route.request().postDataBuffer() ?? Buffer.of());
      const answer = await route.fetch();
      await (bodies.length === 1 ? route.abort("connectionreset") : route.fulfill({ response: answer }));
    });
    await screens.press("Complete");
    await screens.confirm.click();
    await screens.notice("NO_ANSWER").waitFor();
    assert.equal((await read(order)).state, PurchaseOrderState.COMPLETED);

    await screens.confirm.click();
    await screens.notice("is completed").getByRole("link").waitFor();
    assert.equal(bodies.length, 2);
    assert.deepEqual(bodies[0], bodies[1]);
    assert.deepEqual(await screens.column("Chain of back orders", "Order"), [
      `${order.number} | this order`,
      `${order.number}-B1`,
    ]);
    assert.equal(await onHand("lost-oil"), "18");
    await screens.close();
  });

  test("a refusal is shown by its reason, and a wrong field is named and marked", async () => {
    const order = await place(alice, await createDraft(alice, "demo", goods("refused")));
    const screens = await open(order);
    await screens.receive({ "Olive oil": "25" });
    await screens.notice("OVER_RECEIPT").waitFor();

    await screens.receive({ "Olive oil": "a dozen" });
    const notice = screens.notice("INVALID_REQUEST");
    await notice.waitFor();
    assert.match(await notice.getByRole("listitem").innerText(), /^items\[1\]\.accepted /);
    const invalid = screens.page.locator("[aria-invalid=true]");
    assert.deepEqual(await invalid.evaluateAll((inputs) => inputs.map((input) => input.ariaLabel)), [
      "Received of Olive oil",
    ]);

    await screens.receive({ "Olive oil": "24" });
    await screens.notice("Receipt 1 was recorded.").waitFor();
    assert.equal(await invalid.count(), 0);
    await screens.close();
  });

  test("a store without back orders can only cancel what is pending", async () => {
    const operator = connect(service.address, () => "operator");
    await operator.stores.createStore({
      storeId: "plain",
      requestId: newRequestId(),
      displayName: "Plain",
      currency: "EUR",
      timeZone: "Asia/Tokyo",
      ownerPrincipal: "alice",
    });
    const draft = await createDraft(alice, "plain", goods("plain"));
    const screens = await open(await receive(alice, await place(alice, draft), "40", "18", "10"));
    await screens.press("Complete");
    await screens.box("Olive oil").waitFor();
    assert.equal(await screens.box("Olive oil").isChecked(), false);
    assert.ok(await screens.box("Olive oil").isDisabled());
    await screens.page.getByLabel("Why is the rest cancelled?").fill("ordered elsewhere");
    await screens.confirm.click();
    await screens.notice("is completed").waitFor();
    assert.deepEqual(await screens.column("Lines", "Cancelled"), ["0 pcs", "6 bottles", "2.5 kg"]);
    assert.equal((await read(draft)).backOrderPurchaseOrderId, "");
    await screens.close();
  });

  test("a page of another origin gets nothing", async () => {
    const order = await partlyReceived("foreign");
    const screens = await Screens.open(browser, {
      origin: foreign.origin,
      service: service.address,
      order: order.purchaseOrderId,
    });
    const said: string[] = [];
    screens.page.on("console", (message) => said.push(message.text()));
    // The service is there, so what is missing is its permission alone.
    await screens.as("bob");
    await screens.notice("NO_ANSWER").waitFor();
    assert.match(
      said.join("\n"),
      new RegExp(`from origin '${foreign.origin}' has been blocked by CORS policy`),
    );
    assert.equal(await screens.page.locator("main").innerText(), "");
    assert.equal(await screens.page.locator("#store").innerText(), "");
    await screens.close();
  });
});
