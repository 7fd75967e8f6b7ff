//! Ordering: a draft is written, checked against what the store knows, and placed.

use purchase_order_service::proto::v1::{PurchaseOrderState, Unit};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{MONDAY, World, at, line, line_text};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_becomes_an_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();

    let draft = alice.draft(&[("pears", "5.0"), ("apples", "10"), ("pears", "1")]).await;
    assert_eq!((&*draft.number, draft.state(), &*draft.etag), ("PO-000001", PurchaseOrderState::Draft, "1"));
    assert_eq!((draft.create_time, draft.order_time, draft.place_time), (at(MONDAY), None, None));
    assert_eq!((&*draft.currency, draft.line_count, draft.pending_line_count), ("EUR", 3, 3));
    assert_eq!(draft.original_purchase_order_id, draft.purchase_order_id);
    assert_eq!(alice.stock("pears").await, "", "a draft is no order yet");
    world.clock.set("2026-03-02T12:00:00Z");

    let placed = alice.place(&draft).ok().await.purchase_order.unwrap();

    assert_eq!((placed.state(), &*placed.etag), (PurchaseOrderState::OnOrder, "2"));
    let noon = at("2026-03-02T12:00:00Z");
    assert_eq!((placed.order_time, placed.place_time, placed.original_order_time), (noon, noon, noon));
    let lines: Vec<String> = alice.lines(&placed).await.iter().map(line_text).collect();
    assert_eq!(
        lines,
        ["1 pears: 5 ordered, 5 pending", "2 apples: 10 ordered, 10 pending", "3 pears: 1 ordered, 1 pending",]
    );
    assert_eq!(alice.stock("pears").await, "6 on order");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_draft_is_refused_with_all_that_is_wrong(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let create = world.alice().create(&[("apples", "1"), ("", "05"), ("plums", "1000000000"), ("figs", "1")]);
    let wrong = create.with(|request| {
        request.supplier_id.clear();
        request.supplier_reference = "\u{202e}reversed".to_owned();
        request.currency = "EURO".to_owned();
        request.expected_date = "2026-02-30".to_owned();
        request.lines[0].unit = 0;
        request.lines[0].description = "d".repeat(201);
        request.lines[0].gtin = "4006381333932".to_owned();
        request.lines[2].unit_cost = None;
        request.lines[3].unit_cost = Some("-1".to_owned());
        request.lines[3].quantity = Some("0.5".to_owned());
    });

    let refused = wrong.refused(InvalidArgument, "INVALID_REQUEST").await;

    refused.names_fields(&[
        "currency",
        "lines[0].unit",
        "lines[0].description",
        "lines[0].gtin",
        "lines[1].product_id",
        "lines[1].quantity",
        "lines[2].quantity",
        "lines[2].unit_cost",
        "lines[3].quantity",
        "lines[3].unit_cost",
        "supplier_id",
        "supplier_reference",
        "expected_date",
    ]);
    let empty = world.alice().create(&[]).refused(InvalidArgument, "INVALID_REQUEST").await;
    empty.names_fields(&["lines"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn more_violations_than_fit_are_counted(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let wrong = world.alice().create(&[("apples", "1e3"); 500]);

    let refused = wrong.refused(InvalidArgument, "INVALID_REQUEST").await;

    assert_eq!(refused.metadata("violations_total"), "500");
    let named: Vec<String> = (0..20).map(|index| format!("lines[{index}].quantity")).collect();
    refused.names_fields(&named.iter().map(String::as_str).collect::<Vec<_>>());
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_products_first_line_fixes_its_unit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let in_kilograms = |product: &str| {
        let mut line = line(product, "2.5");
        line.unit = Unit::Kilogram.into();
        line
    };
    alice.draft(&[("apples", "10")]).await;

    let other = alice.create(&[("pears", "1")]).with(|request| {
        request.lines.push(in_kilograms("apples"));
        request.lines.push(in_kilograms("pears"));
    });

    let refused = other.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["lines[1].unit", "lines[2].unit"]);
    // The refused draft fixed nothing.
    alice.create(&[]).with(|request| request.lines.push(in_kilograms("pears"))).ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_buys_in_its_own_currency(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let create = |currency: &str| world.alice().create(&[("apples", "1")]).with(|r| r.currency = currency.to_owned());

    let refused = create("USD").refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["currency"]);
    assert_eq!(create("EUR").ok().await.purchase_order.unwrap().currency, "EUR");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_may_have_lines_of_nothing_and_an_order_may_not(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "0"), ("pears", "1"), ("plums", "0.0")]).await;

    let refused = alice.place(&draft).refused(FailedPrecondition, "LINES_WITHOUT_QUANTITY").await;

    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("1,3".to_owned(), "2".to_owned()));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn expected_dates_are_judged_where_the_store_is(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("apples", "1"), ("pears", "1"), ("plums", "1")]).with(|request| {
        request.expected_date = "2026-03-02".to_owned();
        request.lines[1].expected_date = "2026-03-03".to_owned();
    });
    let draft = create.ok().await.purchase_order.unwrap();
    // In Amsterdam it is half past midnight on the 3rd.
    world.clock.set("2026-03-02T23:30:00Z");

    let refused = alice.place(&draft).refused(FailedPrecondition, "EXPECTED_DATE_PASSED").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("1,3".to_owned(), "2".to_owned()));

    // It was ordered on the 2nd, half an hour before midnight.
    let placed = alice.place(&draft).with(|request| request.order_time = at("2026-03-02T22:30:00Z"));
    assert_eq!(placed.ok().await.purchase_order.unwrap().order_time, at("2026-03-02T22:30:00Z"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_placed(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "1")]).await;

    let tomorrow = alice.place(&draft).with(|request| request.order_time = at("2026-03-03T09:00:00Z"));
    tomorrow.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["order_time"]);
    alice.place(&draft).ok().await;
    let refused = alice.place(&draft).refused(FailedPrecondition, "WRONG_STATE").await;
    assert_eq!((refused.metadata("state"), refused.metadata("number")), ("ON_ORDER".to_owned(), draft.number.clone()));
    let unknown =
        alice.place(&draft).with(|request| request.purchase_order_id = format!("0{}", &draft.purchase_order_id[1..]));
    let unknown = unknown.with(|request| request.purchase_order_id.replace_range(0..4, "ffff"));
    unknown.refused(NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_level_has_a_limit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("grains", "999999999"); 901]).await;

    let refused = alice.place(&draft).refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;

    assert_eq!((refused.metadata("product_ids"), refused.metadata("total")), ("grains".to_owned(), "1".to_owned()));
    alice.order(&[("grains", "999999999"); 900]).await;
    assert_eq!(alice.stock("grains").await, "899999999100 on order");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_order_fits_into_a_message(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let lines: Vec<(String, &str)> = (0..5_000).map(|n| (format!("{n:0>64}"), "999999999")).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, quantity)| (name.as_str(), *quantity)).collect();
    let full = alice.create(&lines).with(|request| {
        request.lines.iter_mut().for_each(|line| {
            line.description = "d".repeat(200);
            line.gtin = "10012345678902".to_owned();
            // With it the lines are worth just what an order may be worth.
            line.unit_cost = Some("0.019999".to_owned());
            line.expected_date = "2026-03-10".to_owned();
        });
    });

    let order = full.ok().await.purchase_order.unwrap();
    alice.place(&order).ok().await;
    alice.receive(&order).all_pending().ok().await;

    assert_eq!(alice.lines(&order).await.len(), 5_000);
    let too_many = alice.create(&[("apples", "1"); 5_001]);
    too_many.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn text_is_kept_in_normal_form(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("cafe\u{301}", "1")]).with(|request| request.note = "ta\u{308}glich".to_owned());

    let draft = create.ok().await.purchase_order.unwrap();

    assert_eq!(draft.note, "t\u{e4}glich");
    assert_eq!(alice.lines(&draft).await[0].product_id, "caf\u{e9}");
    assert_eq!(alice.level("cafe\u{301}").ok().await.inventory_level.unwrap().product_id, "caf\u{e9}");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_stores_clock_never_goes_back(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.clock.set("2026-03-02T12:00:00Z");
    let draft = alice.draft(&[("apples", "1")]).await;
    world.clock.set("2026-03-02T11:00:00Z");

    let placed = alice.place(&draft).ok().await.purchase_order.unwrap();

    assert_eq!(placed.place_time, at("2026-03-02T12:00:00Z"));
    world.verify().await;
}
