//! Amending and confirming: what was agreed with the supplier changes after all, and what was agreed first stays readable.

use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{LineAmendment, PurchaseOrder, PurchaseOrderLine};
use rstest::rstest;
use tonic::Code::InvalidArgument;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, line, line_text, unlisted_item};

async fn texts(caller: &Caller, order: &PurchaseOrder) -> Vec<String> {
    caller.lines(order).await.iter().map(line_text).collect()
}

fn removed(line_number: i32) -> LineAmendment {
    LineAmendment { line_number, remove: true, ..LineAmendment::default() }
}

/// When each line is expected, and when it was first promised.
fn dates(lines: &[PurchaseOrderLine]) -> Vec<(&str, &str)> {
    lines.iter().map(|line| (&*line.expected_date, &*line.first_expected_date)).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_windows_on_one_draft_lose_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let draft = alice.draft(&[("apples", "10"), ("pears", "5"), ("plums", "2")]).await;
    // Both have the draft open as it was, and neither knows of the other.
    alice.amend(&draft, &[(1, "12")]).with(|request| request.lines.push(removed(3))).ok().await;
    carol.amend(&draft, &[(2, "6")]).with(|request| request.new_lines.push(line("figs", "1"))).ok().await;

    assert_eq!(
        texts(&alice, &draft).await,
        ["1 apples: 12 ordered, 12 pending", "2 pears: 6 ordered, 6 pending", "4 figs: 1 ordered, 1 pending"]
    );
    alice.place(&draft).ok().await;
    let lines = alice.lines(&draft).await;
    assert_eq!(lines.iter().map(|line| &*line.first_ordered).collect::<Vec<_>>(), ["12", "6", "1"]);
    world.verify().await;
}

/// The pages of a chain have every line although a draft has lost some.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_paged_over_the_numbers_that_a_draft_has_lost(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "10"); 12]).await;
    alice.amend(&draft, &[]).with(|request| request.lines = [1, 3, 4, 5, 6, 7, 9, 12].map(removed).to_vec()).ok().await;
    alice.place(&draft).ok().await;
    alice.receive(&draft).accept(2, "4").ok().await;
    alice.amend(&draft, &[]).with(|request| request.new_lines.push(line("figs", "3"))).ok().await;
    let child = alice.back_order(&draft).await;
    alice.amend(&child, &[]).with(|request| request.new_lines = vec![line("plums", "1"); 2]).ok().await;
    for size in 1..8 {
        let (mut numbers, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = alice.chain(&draft).with(|r| (r.page_size, r.page_token) = (size, page_token)).ok().await;
            assert!(page.lines.len() <= size as usize);
            numbers.extend(page.lines.iter().map(|line| line.line_number));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(numbers, [2, 8, 10, 11, 13, 14, 15], "pages of {size}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_announced_and_the_first_promise_is_kept(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.create(&[("apples", "10"), ("pears", "5")]);
    let draft =
        draft.with(|request| request.expected_date = "2026-03-09".to_owned()).ok().await.purchase_order.unwrap();
    alice.place(&draft).ok().await;
    // The whole order comes a week later, and the pears two.
    let delay = alice.amend(&draft, &[]).with(|request| {
        request.expected_date = Some("2026-03-16".to_owned());
        let late = Some("2026-03-23".to_owned());
        request.lines.push(LineAmendment { line_number: 2, expected_date: late, ..LineAmendment::default() });
    });
    let header = delay.ok().await.purchase_order.unwrap();
    assert_eq!(header.expected_date, "2026-03-16");
    let lines = alice.lines(&draft).await;
    assert_eq!(dates(&lines), [("2026-03-16", "2026-03-09"), ("2026-03-23", "2026-03-09")]);

    // The back order is late once more.
    alice.receive(&draft).accept(1, "4").ok().await;
    let child = alice.back_order(&draft).await;
    let later = alice.amend(&child, &[]).with(|request| {
        let late = Some("2026-04-01".to_owned());
        request.lines.push(LineAmendment { line_number: 1, expected_date: late, ..LineAmendment::default() });
    });
    later.ok().await;
    let lines = alice.lines(&child).await;
    assert_eq!(dates(&lines), [("2026-04-01", "2026-03-09"), ("2026-03-23", "2026-03-09")]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_less_is_ordered_than_has_come(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    let below = alice.amend(&order, &[(1, "3")]).refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    below.names_fields(&["lines[0].quantity"]);
    alice.amend(&order, &[(1, "4")]).with(|request| request.lines.push(removed(2))).ok().await;
    assert_eq!(alice.stock("apples").await, "4 staged");
    assert_eq!(alice.stock("pears").await, "");
    let completed = alice.complete(&order).ok().await;
    assert_eq!(completed.back_order, None);
    assert_eq!(texts(&alice, &order).await, ["1 apples: 4 ordered, 4 received", "2 pears: "]);
    let chain = alice.chain(&order).ok().await;
    let of_chain: Vec<_> = chain
        .lines
        .iter()
        .map(|line| (&*line.first_ordered, &*line.amended, &*line.ordered, &*line.received))
        .collect();
    assert_eq!(of_chain, [("10", "-6", "4", "4"), ("5", "-5", "0", "0")]);
    world.verify().await;
}

/// Goods that nobody ordered have a line without a quantity, which is expected with the order like the others.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_receipt_has_added_is_amended_like_the_rest(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.update_store(&["allow_unlisted_items"]).with(|request| request.allow_unlisted_items = true).ok().await;
    let draft = alice.create(&[("apples", "10")]).with(|request| request.expected_date = "2026-03-09".to_owned());
    let order = draft.ok().await.purchase_order.unwrap();
    alice.place(&order).ok().await;
    alice.receive(&order).with(|request| request.items.push(unlisted_item("soap", "2"))).ok().await;
    let lines = alice.lines(&order).await;
    assert_eq!(dates(&lines), [("2026-03-09", "2026-03-09"); 2]);
    let same = alice.amend(&order, &[(2, "0")]).with(|request| request.expected_date = Some("2026-03-09".to_owned()));
    assert_eq!(same.ok().await.event_number, 0, "it is as it was");
    alice.amend(&order, &[(2, "5")]).ok().await;
    assert_eq!(
        texts(&alice, &order).await,
        ["1 apples: 10 ordered, 10 pending", "2 soap: 5 ordered, 2 received, 3 pending"]
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_put_right_before_the_goods_are_booked_again(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let cheaper = || {
        alice.amend(&order, &[]).with(|request| {
            let unit_cost = Some("2".to_owned());
            request.lines.push(LineAmendment { line_number: 1, unit_cost, ..LineAmendment::default() });
        })
    };
    cheaper().refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["lines[0].unit_cost"]);
    alice.void(&order, 1).ok().await;
    cheaper().ok().await;
    alice.receive(&order).accept(1, "4").ok().await;
    let receipts = [alice.receipt(&order, 1).ok().await, alice.receipt(&order, 2).ok().await];
    let values = receipts.map(|answer| answer.receipt.unwrap().items[0].value().to_owned());
    assert_eq!(values, ["10", "8"], "the voided one was worth what the line cost then");
    alice.complete(&order).rest(BackOrder).ok().await;
    assert_eq!(alice.level("apples").ok().await.inventory_level.unwrap().average_cost(), "2");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_adds_up_what_was_amended_on_each_of_its_orders(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    alice.amend(&order, &[(1, "12")]).ok().await;
    let child = alice.back_order(&order).await;
    let more = alice.amend(&child, &[(1, "5")]).with(|request| {
        request.lines[0].unit_cost = Some("2".to_owned());
        request.new_lines.push(line("figs", "3"));
    });
    more.ok().await;
    assert_eq!(alice.stock("apples").await, "4 on hand, 5 on order, 5 back-ordered");
    assert_eq!(alice.stock("figs").await, "3 on order, 3 back-ordered");
    alice.receive(&child).accept(1, "5").ok().await;
    alice.complete(&child).rest(BackOrder).ok().await;

    let chain = alice.chain(&order).ok().await;
    let of_chain: Vec<_> = chain
        .lines
        .iter()
        .map(|line| (line.line_number, &*line.first_ordered, &*line.amended, &*line.received, &*line.pending))
        .collect();
    assert_eq!(of_chain, [(1, "10", "-1", "9", "0"), (2, "3", "0", "0", "3")]);
    // 4 at 2.5 and 5 at 2.
    assert_eq!(alice.level("apples").ok().await.inventory_level.unwrap().average_cost(), "2.222222");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_shortfall_is_seen_and_given_up(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    let shortfalls = async |order: &PurchaseOrder| {
        let lines = alice.lines(order).await;
        lines.into_iter().map(|line| (line.confirmed, line.shortfall)).collect::<Vec<_>>()
    };
    let of = |lines: &[(&str, &str)]| -> Vec<(String, String)> {
        lines.iter().map(|(confirmed, shortfall)| ((*confirmed).to_owned(), (*shortfall).to_owned())).collect()
    };
    assert_eq!(shortfalls(&order).await, of(&[("", "0"), ("", "0")]));
    alice.confirm(&order, &[(1, "7")]).with(|request| request.confirm_rest = true).ok().await;
    assert_eq!(shortfalls(&order).await, of(&[("7", "3"), ("5", "0")]));
    assert_eq!(texts(&alice, &order).await[0], "1 apples: 10 ordered, 10 pending", "it commits nobody");

    alice.cancel_lines(&order, &[(1, "3")]).ok().await;
    assert_eq!(shortfalls(&order).await, of(&[("7", "0"), ("5", "0")]));
    alice.receive(&order).accept(1, "4").ok().await;
    let child = alice.back_order(&order).await;
    assert_eq!(shortfalls(&child).await, of(&[("", "0"), ("", "0")]), "nobody has confirmed the back order");
    world.verify().await;
}
