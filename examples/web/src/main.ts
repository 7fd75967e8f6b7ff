// The page: which user looks at which screen, and what happens between screens.

import type { Api, Problem } from "./api.js";
import { connect, isChanged, newRequestId, problemOf } from "./api.js";
import { CompletionDialog } from "./completion-dialog.js";
import { byId, el, table } from "./dom.js";
import { stateBadge, time } from "./format.js";
import type { PurchaseOrder } from "./generated/purchasing/v1/purchase_order_pb.js";
import type { Store } from "./generated/purchasing/v1/store_service_pb.js";
import { problemNotice, statusNotice } from "./notices.js";
import type { OrderScreen } from "./order-view.js";
import { loadOrder, orderLink, orderView } from "./order-view.js";
import { receiveForm } from "./receive-form.js";

/** What `config.json` says, which lies beside the page so that one build serves every installation. */
interface Config {
  service: string;
  store: string;
  users: string[];
}

const ORDERS_SHOWN = 50;
const CHANGED =
  "Somebody else has changed this order since you read it, so nothing was done. It is shown as it is now.";

class Page {
  private readonly notices = byId("notices", HTMLDivElement);
  private readonly screen = byId("screen", HTMLElement);
  private readonly storeName = byId("store", HTMLParagraphElement);
  private readonly api: Api;
  private loads = 0;

  constructor(
    private readonly config: Config,
    user: HTMLSelectElement,
  ) {
    this.api = connect(config.service, () => user.value);
    user.append(...config.users.map((name) => el("option", {}, name)));
    // Another user may do and see other things, so nothing that was shown stays.
    user.onchange = () => void this.show();
    window.onhashchange = () => void this.show();
  }

  /** Shows the screen that the address names, as the service knows it now, beneath a notice. */
  async show(notice?: HTMLElement): Promise<void> {
    const turn = ++this.loads;
    const order = /^#\/orders\/([0-9a-f-]+)$/.exec(location.hash)?.[1];
    this.screen.ariaBusy = "true";
    try {
      const store = await this.loadStore();
      const screen = order === undefined ? await this.list(store) : await this.order(store, order);
      // A screen that was asked for later is shown instead.
      if (turn !== this.loads) {
        return;
      }
      this.storeName.textContent = `${store.displayName}, times in ${store.timeZone}`;
      this.notices.replaceChildren(...(notice === undefined ? [] : [notice]));
      this.screen.replaceChildren(screen);
    } catch (error) {
      if (turn === this.loads) {
        this.screen.replaceChildren();
        this.notices.replaceChildren(problemNotice(problemOf(error)));
      }
    } finally {
      this.screen.ariaBusy = turn === this.loads ? "false" : "true";
    }
  }

  private async loadStore(): Promise<Store> {
    const { store } = await this.api.stores.getStore({ storeId: this.config.store });
    if (store === undefined) {
      throw new Error("GetStore answered without a store");
    }
    return store;
  }

  private async list(store: Store): Promise<HTMLElement> {
    const { purchaseOrders } = await this.api.orders.listPurchaseOrders({
      storeId: store.storeId,
      pageSize: ORDERS_SHOWN,
    });
    const rows = purchaseOrders.map((order) => [
      orderLink(order),
      order.supplierId,
      stateBadge(order.state),
      `${order.pendingLineCount} of ${order.lineCount}`,
      time(order.createTime, store.timeZone),
    ]);
    return el(
      "div",
      { className: "scrolled" },
      rows.length === 0
        ? el("p", { className: "empty" }, "No purchase orders yet.")
        : table("The newest orders", ["Order", "Supplier", "State", "Lines pending", "Created"], rows),
    );
  }

  private async order(store: Store, id: string): Promise<HTMLElement> {
    const screen = await loadOrder(this.api, store, id);
    const { order } = screen;
    const placing = newRequestId();
    return orderView(screen, {
      place: (button) => void this.place(order, placing, button),
      complete: () => this.openCompletion(screen),
      receiveForm: () =>
        receiveForm(this.api, order, screen.lines, {
          received: (number) => void this.show(statusNotice(`Receipt ${number} was recorded.`)),
          failed: (problem) => this.reloadIfChanged(problem),
        }),
    });
  }

  private async place(order: PurchaseOrder, requestId: string, button: HTMLButtonElement): Promise<void> {
    button.disabled = true;
    const { storeId, purchaseOrderId, etag } = order;
    try {
      await this.api.orders.placePurchaseOrder({ storeId, purchaseOrderId, etag, requestId });
      await this.show(statusNotice(`${order.number} is on order.`));
    } catch (error) {
      const problem = problemOf(error);
      this.notices.replaceChildren(problemNotice(problem));
      this.reloadIfChanged(problem);
    } finally {
      button.disabled = false;
    }
  }

  private openCompletion({ store, order }: OrderScreen): void {
    const dialog = new CompletionDialog(this.api, store, order, {
      completed: ({ backOrder }) => {
        const link =
          backOrder && el("a", { href: `#/orders/${backOrder.purchaseOrderId}` }, backOrder.number);
        const done = `${order.number} is completed. `;
        void this.show(
          link ? statusNotice(done, "What is missing is on the back order ", link, ".") : statusNotice(done),
        );
      },
      changed: (problem) => this.reloadIfChanged(problem),
    });
    dialog.open();
  }

  private reloadIfChanged(problem: Problem): void {
    if (isChanged(problem)) {
      void this.show(problemNotice({ ...problem, message: CHANGED }));
    }
  }
}

const config = (await (await fetch("config.json")).json()) as Config;
await new Page(config, byId("user", HTMLSelectElement)).show();
