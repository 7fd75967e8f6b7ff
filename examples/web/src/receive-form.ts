// The form that records a delivery: a quantity for each line that is pending.

import type { Api, Problem } from "./api.js";
import { newRequestId, problemOf } from "./api.js";
import { el, table } from "./dom.js";
import { quantityCell } from "./format.js";
import type { PurchaseOrder, PurchaseOrderLine } from "./generated/purchasing/v1/purchase_order_pb.js";
import { problemNotice } from "./notices.js";
import { product } from "./order-view.js";

export interface ReceiveEvents {
  received: (receiptNumber: number) => void;
  failed: (problem: Problem) => void;
}

export function receiveForm(
  api: Api,
  order: PurchaseOrder,
  lines: PurchaseOrderLine[],
  events: ReceiveEvents,
): HTMLElement {
  const requestId = newRequestId();
  const inputs = lines.map((line) =>
    el("input", {
      name: `line-${line.lineNumber}`,
      inputMode: "decimal",
      autocomplete: "off",
      ariaLabel: `Received of ${line.description || line.productId}`,
    }),
  );
  const deliveryNote = el("input", { name: "delivery-note", autocomplete: "off" });
  const button = el("button", {}, "Receive");
  const problems = el("div");

  async function submit(): Promise<void> {
    button.disabled = true;
    clear();
    try {
      const { receipt } = await api.orders.receivePurchaseOrder({
        storeId: order.storeId,
        purchaseOrderId: order.purchaseOrderId,
        requestId,
        etag: order.etag,
        deliveryNote: deliveryNote.value,
        // The service passes over items without a quantity, so each line is sent, in order: the index of an item
        // that a violation names is that of its field.
        items: lines.map((line, index) => ({
          lineNumber: line.lineNumber,
          accepted: inputs[index]?.value.trim() || "0",
        })),
      });
      events.received(receipt?.receiptNumber ?? 0);
    } catch (error) {
      show(problemOf(error));
    } finally {
      button.disabled = false;
    }
  }

  function clear(): void {
    problems.replaceChildren();
    inputs.forEach((input) => (input.ariaInvalid = null));
  }

  function show(problem: Problem): void {
    for (const { field } of problem.violations) {
      const index = /^items\[(\d+)\]/.exec(field)?.[1];
      const input = index === undefined ? undefined : inputs[Number(index)];
      if (input !== undefined) {
        input.ariaInvalid = "true";
      }
    }
    problems.replaceChildren(problemNotice(problem));
    events.failed(problem);
  }

  const rows = lines.map((line, index) => [
    String(line.lineNumber),
    product(line),
    quantityCell(line.pending, line.unit),
    inputs[index],
  ]);
  return el(
    "form",
    {
      className: "receive",
      onsubmit: (event) => {
        event.preventDefault();
        void submit();
      },
    },
    table("Receive a delivery", ["Line", "Product", "Pending", "Received now"], rows),
    problems,
    el("div", { className: "buttons" }, el("label", {}, "Delivery note ", deliveryNote), button),
  );
}
