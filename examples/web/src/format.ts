// How times, quantities and states are written for people.

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";

import { el } from "./dom.js";
import { PurchaseOrderState, RejectReason, Unit } from "./generated/purchasing/v1/purchase_order_pb.js";

const UNITS: Record<Unit, string> = {
  [Unit.UNSPECIFIED]: "",
  [Unit.EACH]: "pcs",
  [Unit.PAIR]: "pairs",
  [Unit.SET]: "sets",
  [Unit.BOX]: "boxes",
  [Unit.ROLL]: "rolls",
  [Unit.BOTTLE]: "bottles",
  [Unit.KILOGRAM]: "kg",
  [Unit.GRAM]: "g",
  [Unit.LITRE]: "l",
  [Unit.MILLILITRE]: "ml",
  [Unit.METRE]: "m",
  [Unit.SQUARE_METRE]: "m²",
};

/** A quantity with its unit. Quantities are decimal strings and stay so: a number would round them. */
export function quantity(amount: string, unit: Unit): string {
  return `${amount} ${UNITS[unit]}`;
}

/** A quantity as a cell of a table, and since when it is so; a zero stands back. */
export function quantityCell(amount: string, unit: Unit, since?: Node | string): HTMLElement {
  const isNone = amount === "0";
  return el(
    "span",
    { className: isNone ? "quantity none" : "quantity" },
    quantity(amount, unit),
    isNone || since === undefined ? undefined : el("small", {}, since),
  );
}

/** A time as the clocks in the store show it, whatever the time zone of the reader is. */
export function time(timestamp: Timestamp | undefined, timeZone: string): HTMLTimeElement | undefined {
  if (timestamp === undefined) {
    return undefined;
  }
  const date = timestampDate(timestamp);
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
  return el("time", { dateTime: date.toISOString(), title: timeZone }, format.format(date));
}

export function stateBadge(state: PurchaseOrderState): HTMLElement {
  const name = PurchaseOrderState[state] ?? "UNKNOWN";
  return el("span", { className: `state ${name.toLowerCase()}` }, words(name));
}

export function rejectReason(reason: RejectReason): string {
  return words(RejectReason[reason] ?? "UNKNOWN").toLowerCase();
}

/** `ON_ORDER` as "On order". */
function words(name: string): string {
  const text = name.replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
