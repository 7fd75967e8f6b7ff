// What the page tells its user: that something was done, or why it was not.

import type { Problem } from "./api.js";
import { el } from "./dom.js";

/** A problem by its reason, with the fields that break their rules or, if there are none, what the service says of it. */
export function problemNotice(problem: Problem): HTMLElement {
  const fields = problem.violations.map((violation) =>
    el("li", {}, el("code", {}, violation.field), ` ${violation.description}`),
  );
  return el(
    "div",
    // Screen readers read an alert out at once.
    { className: "notice problem", role: "alert" },
    el("strong", {}, problem.reason),
    fields.length === 0 ? el("p", {}, problem.message) : el("ul", {}, ...fields),
  );
}

export function statusNotice(...content: (Node | string)[]): HTMLElement {
  return el("div", { className: "notice", role: "status" }, el("p", {}, ...content));
}
