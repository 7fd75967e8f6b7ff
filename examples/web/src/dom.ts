// Elements of the page, made without a framework. Text is always set as text, never as HTML.

type Content = Node | string | undefined;

/** Makes an element with these properties and children; what is undefined is left out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: Content[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Makes a table. The first cell of each row is its header, by which a screen reader names the row. */
export function table(caption: string, columns: string[], rows: Content[][]): HTMLTableElement {
  const head = columns.map((column) => el("th", { scope: "col" }, column));
  const body = rows.map((cells) =>
    el(
      "tr",
      {},
      ...cells.map((cell, index) => (index === 0 ? el("th", { scope: "row" }, cell) : el("td", {}, cell))),
    ),
  );
  return el(
    "table",
    {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...body),
  );
}

/** The element with this id, which index.html has. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) {
    throw new Error(`index.html has no ${type.name} with the id ${id}`);
  }
  return element;
}
