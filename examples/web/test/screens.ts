// What a person sees and does on the page, by the names of its parts.

import type { Browser, Locator, Page } from "playwright-core";

const LIMIT_MS = 20_000;

export interface Opened {
  origin: string;
  service: string;
  store?: string;
  order?: string;
}

export class Screens {
  private constructor(readonly page: Page) {}

  /** Opens the page in a browser that lives in another time zone than the store. */
  static async open(browser: Browser, opened: Opened): Promise<Screens> {
    const context = await browser.newContext({
      timezoneId: "America/New_York",
      viewport: { width: 1100, height: 1000 },
    });
    context.setDefaultTimeout(LIMIT_MS);
    const page = await context.newPage();
    const config = { service: opened.service, store: opened.store ?? "demo", users: ["alice", "bob"] };
    await page.route("**/config.json", (route) => route.fulfill({ json: config }));
    const screens = new Screens(page);
    await page.goto(`${opened.origin}/${opened.order === undefined ? "" : `#/orders/${opened.order}`}`);
    await screens.settled();
    return screens;
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  /** Waits until nothing is being loaded. */
  async settled(): Promise<void> {
    await this.page.locator("main[aria-busy=false]").waitFor({ state: "attached" });
  }

  async as(user: string): Promise<void> {
    await this.page.getByLabel("User").selectOption(user);
    await this.settled();
  }

  /** The names of all buttons of the screen. */
  async buttons(): Promise<string[]> {
    return this.page.locator("main").getByRole("button").allInnerTexts();
  }

  async press(button: string): Promise<void> {
    await this.page.getByRole("button", { name: button, exact: true }).click();
  }

  /** Types what came of these products into the form, and records it. */
  async receive(quantities: Record<string, string>): Promise<void> {
    for (const [description, quantity] of Object.entries(quantities)) {
      await this.page.getByLabel(`Received of ${description}`).fill(quantity);
    }
    await this.press("Receive");
  }

  notice(text: string): Locator {
    return this.page.locator(".notice").filter({ hasText: text });
  }

  get confirm(): Locator {
    return this.page.getByRole("dialog").getByRole("button", { name: "CONFIRM" });
  }

  /** The box of a line in the completion dialog. */
  box(description: string): Locator {
    return this.page
      .getByRole("dialog")
      .getByRole("row")
      .filter({ hasText: description })
      .getByRole("checkbox");
  }

  /** The cells of a table's rows, each by its column; a line break within a cell becomes " | ". */
  async rows(caption: string): Promise<Record<string, string>[]> {
    const table = this.page.getByRole("table", { name: caption, exact: true });
    const columns = await table.getByRole("columnheader").allInnerTexts();
    const rows: Record<string, string>[] = [];
    for (const row of await table.locator("tbody tr").all()) {
      const cells = await row.locator("th, td").allInnerTexts();
      rows.push(
        Object.fromEntries(
          columns.map((column, index) => [column, (cells[index] ?? "").trim().replace(/\s*\n\s*/g, " | ")]),
        ),
      );
    }
    return rows;
  }

  /** One column of a table. */
  async column(caption: string, column: string): Promise<string[]> {
    return (await this.rows(caption)).map((row) => row[column] ?? "no such column");
  }
}
