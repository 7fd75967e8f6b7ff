// The dialog that completes an order: what is pending on each line becomes back-ordered or cancelled, as previewed.

import type { Api, Problem } from "./api.js";
import { allPages, isChanged, newRequestId, problemOf } from "./api.js";
import { el, table } from "./dom.js";
import { quantity, quantityCell } from "./format.js";
import type { PurchaseOrder } from "./generated/purchasing/v1/purchase_order_pb.js";
import { PendingDisposition } from "./generated/purchasing/v1/purchase_order_pb.js";
import type {
  CompletePurchaseOrderResponse,
  PendingLine,
  PreviewCompletionResponse,
} from "./generated/purchasing/v1/purchase_order_service_pb.js";
import type { Store } from "./generated/purchasing/v1/store_service_pb.js";
import { problemNotice } from "./notices.js";
import { product } from "./order-view.js";

const PAGE_SIZE = 1000;

export interface CompletionEvents {
  completed: (answer: CompletePurchaseOrderResponse) => void;
  /** Somebody else has changed the order since it was shown; nothing was done. */
  changed: (problem: Problem) => void;
}

/** What a completion would do, over all pages of the preview. */
interface Preview {
  answer: PreviewCompletionResponse;
  lines: PendingLine[];
  stock: PreviewCompletionResponse["stock"];
}

/** A line of the list: its box, ticked for the back order, and what the last preview says of it. */
interface Row {
  line: PendingLine;
  box: HTMLInputElement;
  outcome: HTMLElement;
}

export class CompletionDialog {
  private readonly requestId = newRequestId();
  private readonly dialog = el("dialog");
  private readonly content = el("div");
  private readonly outcome = el("div", { ariaLive: "polite" });
  private readonly problems = el("div");
  private readonly reason = el("input", { name: "cancel-reason", maxLength: 200, autocomplete: "off" });
  private readonly reasonLabel = el("label", { hidden: true }, "Why is the rest cancelled? ", this.reason);
  private readonly confirm = el("button", { className: "primary", disabled: true }, "CONFIRM");
  private readonly back = el("button", { type: "button", onclick: () => this.dialog.close() }, "Back");
  private rows: Row[] = [];
  private etag: string;
  private previews = 0;
  private isSending = false;

  constructor(
    private readonly api: Api,
    private readonly store: Store,
    private readonly order: PurchaseOrder,
    private readonly events: CompletionEvents,
  ) {
    this.etag = order.etag;
  }

  /** Opens the dialog with what is pending now. */
  open(): void {
    const form = el(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          void this.complete();
        },
      },
      el("h2", { id: "completion-title" }, `Complete ${this.order.number}`),
      this.content,
      this.reasonLabel,
      this.outcome,
      this.problems,
      el("div", { className: "buttons" }, this.confirm, this.back),
    );
    this.dialog.setAttribute("aria-labelledby", "completion-title");
    this.dialog.append(form);
    this.dialog.onclose = () => this.dialog.remove();
    this.reason.oninput = () => void this.preview();
    document.body.append(this.dialog);
    this.dialog.showModal();
    void this.preview();
  }

  /** Shows what completing with the present choices would do. CONFIRM is possible only for what is shown. */
  private async preview(): Promise<void> {
    const turn = ++this.previews;
    this.confirm.disabled = true;
    try {
      const preview = await this.load();
      // An answer that another one has overtaken is about choices that are no longer made.
      if (turn === this.previews) {
        this.show(preview);
      }
    } catch (error) {
      if (turn === this.previews) {
        this.fail(problemOf(error));
      }
    }
  }

  private async load(): Promise<Preview> {
    const pages = await allPages((pageToken) =>
      this.api.orders.previewCompletion({ ...this.choices(), pageToken, pageSize: PAGE_SIZE }),
    );
    return {
      answer: pages[0],
      lines: pages.flatMap((page) => page.pendingLines),
      stock: pages.flatMap((page) => page.stock),
    };
  }

  /** The fields that a preview and the completion have in common. */
  private choices() {
    return {
      storeId: this.order.storeId,
      purchaseOrderId: this.order.purchaseOrderId,
      etag: this.etag,
      lines: this.rows.map(({ line, box }) =>
        box.checked
          ? { lineNumber: line.lineNumber, backOrder: line.pending }
          : { lineNumber: line.lineNumber, cancel: line.pending },
      ),
      // For the first preview, which tells what is pending.
      rest: this.store.backOrdersEnabled ? PendingDisposition.BACK_ORDER : PendingDisposition.CANCEL,
      cancelReason: this.cancelsAny() ? this.reason.value.trim() : "",
    };
  }

  private cancelsAny(): boolean {
    return this.rows.some(({ box }) => !box.checked);
  }

  private show({ answer, lines, stock }: Preview): void {
    this.problems.replaceChildren();
    this.etag = answer.purchaseOrder?.etag ?? this.etag;
    if (this.rows.length === 0) {
      this.list(lines);
    }
    for (const [index, { outcome }] of this.rows.entries()) {
      const line = lines[index];
      outcome.textContent = line === undefined ? "" : describe(line);
    }
    this.reasonLabel.hidden = !this.cancelsAny();
    this.outcome.replaceChildren(
      el("p", {}, describeBackOrder(answer)),
      ...answer.blockers.map(({ reason, message }) => problemNotice({ reason, message, violations: [] })),
      stockTable(stock),
    );
    this.confirm.disabled = answer.blockers.length > 0;
  }

  /** Lists what is pending, each line with its box. */
  private list(lines: PendingLine[]): void {
    if (lines.length === 0) {
      this.content.replaceChildren(el("p", {}, "Nothing is pending: all that was ordered has come."));
      return;
    }
    const enabled = this.store.backOrdersEnabled;
    this.rows = lines.map((line) => ({
      line,
      box: el("input", {
        type: "checkbox",
        checked: enabled,
        disabled: !enabled,
        onchange: () => void this.preview(),
      }),
      outcome: el("span"),
    }));
    const cells = this.rows.map(({ line, box, outcome }) => [
      el("label", {}, box, " back-order"),
      product(line),
      quantityCell(line.pending, line.unit),
      outcome,
    ]);
    const explanation = enabled
      ? "What is ticked moves to a new back order. What is not ticked is cancelled."
      : "Back orders are off in this store: what is pending is cancelled.";
    this.content.replaceChildren(
      el("p", {}, explanation),
      table("Pending lines", ["Back-order", "Product", "Pending", "What happens"], cells),
    );
  }

  private async complete(): Promise<void> {
    if (this.isSending) {
      return;
    }
    this.setSending(true);
    try {
      const { requestId } = this;
      const answer = await this.api.orders.completePurchaseOrder({ ...this.choices(), requestId });
      this.dialog.close();
      this.events.completed(answer);
    } catch (error) {
      this.fail(problemOf(error));
    } finally {
      this.setSending(false);
    }
  }

  private fail(problem: Problem): void {
    if (isChanged(problem)) {
      this.dialog.close();
      this.events.changed(problem);
      return;
    }
    this.problems.replaceChildren(problemNotice(problem));
  }

  /** While a completion is on its way, its choices stay as they were sent. */
  private setSending(isSending: boolean): void {
    this.isSending = isSending;
    this.confirm.disabled = isSending;
    this.back.disabled = isSending;
    this.reason.disabled = isSending;
    for (const { box } of this.rows) {
      box.disabled = isSending || !this.store.backOrdersEnabled;
    }
  }
}

function describe(line: PendingLine): string {
  const parts: [string, string][] = [
    [line.backOrder, "back-ordered"],
    [line.cancel, "cancelled"],
    [line.unsettled, "undecided"],
  ];
  return parts
    .filter(([amount]) => amount !== "0")
    .map(([amount, what]) => `${quantity(amount, line.unit)} ${what}`)
    .join(", ");
}

function describeBackOrder({ backOrderNumber, backOrderLineCount }: PreviewCompletionResponse): string {
  if (backOrderNumber === "") {
    return "There will be no back order.";
  }
  const lines = backOrderLineCount === 1 ? "1 line" : `${backOrderLineCount} lines`;
  return `The back order ${backOrderNumber} will have ${lines}.`;
}

function stockTable(stock: PreviewCompletionResponse["stock"]): HTMLElement {
  const rows = stock.map((product) => [
    product.productId,
    quantityCell(product.onHandBefore, product.unit),
    quantityCell(product.received, product.unit),
    quantityCell(product.onHandAfter, product.unit),
    quantityCell(product.backOrderedAfter, product.unit),
  ]);
  return table(
    "Stock after completion",
    ["Product", "On hand now", "Received", "On hand then", "Back-ordered then"],
    rows,
  );
}
