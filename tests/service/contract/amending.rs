//! Stories of AmendPurchaseOrder and ConfirmPurchaseOrder: what was agreed with the supplier changes, and what the
//! supplier says of it.

use purchase_order_service::proto::v1::PurchaseOrderAction::{Amend, Confirm};
use purchase_order_service::proto::v1::{AmendPurchaseOrderRequest, ConfirmPurchaseOrderRequest, Permission, Unit};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{line, line_text};

const STORED: &str = "INVALID_FOR_STORED_DATA";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn amend_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<AmendPurchaseOrderRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    assert!(order.allowed_actions().any(|action| action == Amend));

    let amend = alice.amend(&order, &[(1, "12")]).id(AN_ID).with(|request| {
        request.etag = order.etag.clone();
        request.lines[0].unit_cost = Some("3".to_owned());
        request.new_lines.push(line("plums", "4"));
    });
    let amended = story.ok(amend.clone()).await;
    let lines: Vec<String> = amended.lines.iter().map(line_text).collect();
    assert_eq!(lines, ["1 apples: 12 ordered, 12 pending", "3 plums: 4 ordered, 4 pending"]);
    assert_eq!((&*amended.lines[0].first_ordered, amended.lines[0].unit_cost()), ("10", "3"));
    assert_eq!(amended.purchase_order.as_ref().unwrap().ordered_cost(), "58.5");
    assert_eq!(story.ok(amend.clone()).await, amended, "sent again, it is the same");
    let other = amend.with(|request| request.lines[0].quantity = Some("13".to_owned()));
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;
    let stale = alice.amend(&order, &[(1, "11")]).with(|request| request.etag = order.etag.clone());
    story.refused(stale, Aborted, "ETAG_MISMATCH").await;
    assert_eq!(story.ok(alice.amend(&order, &[(1, "12")])).await.event_number, 0, "it is as it should be");

    malformed_amendments(&story).await;
    alice.receive(&order).accept(1, "2").ok().await;
    amendments_that_do_not_fit(&story).await;
    let refused = story.refused(alice.amend(&order, &[(9, "1")]), NotFound, "LINE_NOT_FOUND").await;
    assert_eq!(refused.metadata("line_numbers"), "9");

    amendments_that_are_too_much(&story).await;
    let draft = alice.draft(&[("apples", "10")]).await;
    let emptied = alice.amend(&draft, &[]).with(|request| {
        request.lines.push(removed(1));
    });
    let refused = story.refused(emptied, FailedPrecondition, "NOTHING_LEFT").await;
    assert_eq!(refused.metadata("number"), draft.number);
    alice.cancel(&draft).ok().await;
    let refused = story.refused(alice.amend(&draft, &[(1, "1")]), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "CANCELLED");

    story.refused(alice.amend(&absent(), &[(1, "1")]), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(bob.amend(&order, &[(1, "11")]), PermissionDenied, "PERMISSION_MISSING").await;
    alice.create_role("clerk", &[Permission::View, Permission::Edit]).ok().await;
    alice.grant("dora", "clerk").ok().await;
    let dora = story.world.caller("dora");
    story.ok(dora.amend(&order, &[(2, "6")])).await;
    let priced = dora.amend(&order, &[(2, "6")]).with(|request| request.lines[0].unit_cost = Some("1".to_owned()));
    story.refused(priced, PermissionDenied, "PERMISSION_MISSING").await;
    // How much it would be worth is not told: it would tell what a pear costs.
    let dear = alice.amend(&order, &[(2, "6")]).with(|request| request.lines[0].unit_cost = Some("150.25".to_owned()));
    story.ok(dear).await;
    let too_many = story.refused(dora.amend(&order, &[(2, "999999999")]), InvalidArgument, STORED).await;
    assert_eq!(too_many.message(), "lines make the order worth more than 100000000000 with its charges");
    too_many.names_fields(&["lines"]);
    let operator = story.world.operator();
    story.refused(operator.amend(&order, &[(1, "11")]), PermissionDenied, "NO_STORE_ACCESS").await;
    let nobody = story.world.caller("");
    story.refused(nobody.amend(&order, &[(1, "11")]), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

fn removed(line_number: i32) -> purchase_order_service::proto::v1::LineAmendment {
    purchase_order_service::proto::v1::LineAmendment { line_number, remove: true, ..Default::default() }
}

/// Requests that are wrong by themselves.
async fn malformed_amendments(story: &Story<AmendPurchaseOrderRequest>) {
    let alice = story.world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let nothing = alice.amend(&order, &[]);
    let twice = alice.amend(&order, &[(1, "1"), (1, "2")]);
    let both = alice.amend(&order, &[(1, "1")]).with(|request| request.lines[0].remove = true);
    let costs = alice.amend(&order, &[]).with(|request| {
        request.lines.push(Default::default());
        request.lines[0].line_number = 1;
        (request.lines[0].unit_cost, request.lines[0].pack_cost) = (Some("1".to_owned()), Some("5".to_owned()));
    });
    let date = alice.amend(&order, &[]).with(|request| request.expected_date = Some("2026-02-30".to_owned()));
    for (call, path) in [
        (nothing, "lines"),
        (twice, "lines[1].line_number"),
        (both, "lines[0].remove"),
        (costs, "lines[0].unit_cost"),
        (date, "expected_date"),
    ] {
        story.refused(call, InvalidArgument, "INVALID_REQUEST").await.names_fields(&[path]);
    }
}

/// Requests that do not fit an order of which 2 of 12 apples were received.
async fn amendments_that_do_not_fit(story: &Story<AmendPurchaseOrderRequest>) {
    let alice = story.world.alice();
    let order = alice.list().ok().await.purchase_orders.into_iter().find(|order| order.number == "PO-000001").unwrap();
    let amend = || alice.amend(&order, &[(1, "12")]);
    let in_kilograms = amend().with(|request| {
        request.new_lines.push(line("pears", "1"));
        request.new_lines[0].unit = Unit::Kilogram.into();
    });
    for (call, path) in [
        (alice.amend(&order, &[(1, "1")]), "lines[0].quantity"),
        (alice.amend(&order, &[(1, "11.5")]), "lines[0].quantity"),
        (amend().with(|request| request.lines[0].unit_cost = Some("4".to_owned())), "lines[0].unit_cost"),
        (amend().with(|request| request.lines[0].packs = Some("1".to_owned())), "lines[0].packs"),
        (
            amend().with(|request| request.lines[0].expected_date = Some("2026-03-01".to_owned())),
            "lines[0].expected_date",
        ),
        (amend().with(|request| request.new_lines.push(line("figs", "0"))), "new_lines[0].quantity"),
        (in_kilograms, "new_lines[0].unit"),
    ] {
        story.refused(call, InvalidArgument, STORED).await.names_fields(&[path]);
    }
}

/// Requests that would make an order larger than any may be.
async fn amendments_that_are_too_much(story: &Story<AmendPurchaseOrderRequest>) {
    let alice = story.world.alice();
    let order = alice.order(&[("bolts", "1"), ("nuts", "1")]).await;
    let dear = alice.amend(&order, &[(1, "101")]);
    let dear = dear.with(|request| request.lines[0].unit_cost = Some("1000000000".to_owned()));
    story.refused(dear, InvalidArgument, STORED).await.names_fields(&["lines"]);
    let noted = |size: usize| {
        alice.amend(&order, &[]).with(|request| {
            let note = |number: usize| "n".repeat(if number < 500 { 1_000 } else { size });
            request.new_lines = vec![line("bolts", "1"); 501];
            request.new_lines.iter_mut().enumerate().for_each(|(number, line)| line.note = note(number));
        })
    };
    story.refused(noted(1), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["new_lines"]);
    story.ok(noted(0)).await;
    let one_more = alice.amend(&order, &[(1, "1")]).with(|request| request.lines[0].note = Some("n".to_owned()));
    story.refused(one_more, InvalidArgument, STORED).await.names_fields(&["lines"]);
    let many = alice.amend(&order, &[]).with(|request| request.new_lines = vec![line("bolts", "1"); 4_498]);
    let refused = story.refused(many, FailedPrecondition, "TOO_MANY_LINES").await;
    assert_eq!(refused.metadata("number"), order.number);

    // The level of a product has a limit, which many orders reach together.
    let mut session = story.world.database.session();
    session.batch("UPDATE inventory_level SET on_order = 9000000000000000 WHERE product_id = 'nuts'").unwrap();
    let refused = story.refused(alice.amend(&order, &[(2, "2")]), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "nuts");
    session.batch("UPDATE inventory_level SET on_order = 10000 WHERE product_id = 'nuts'").unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn confirm_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ConfirmPurchaseOrderRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5"), ("plums", "2")]).await;
    assert!(order.allowed_actions().any(|action| action == Confirm));

    let confirm = alice.confirm(&order, &[(1, "8")]).id(AN_ID).with(|request| {
        request.etag = order.etag.clone();
        request.confirm_rest = true;
        request.expected_date = "2026-03-09".to_owned();
        request.lines[0].expected_date = "2026-03-10".to_owned();
    });
    let confirmed = story.ok(confirm.clone()).await;
    let lines: Vec<_> = confirmed.lines.iter().map(|l| (&*l.confirmed, &*l.shortfall, &*l.expected_date)).collect();
    assert_eq!(lines, [("8", "2", "2026-03-10"), ("5", "0", "2026-03-09"), ("2", "0", "2026-03-09")]);
    assert_eq!(story.ok(confirm.clone()).await, confirmed, "sent again, it is the same");
    let other = confirm.with(|request| request.confirm_rest = false);
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;
    let stale = alice.confirm(&order, &[(1, "7")]).with(|request| request.etag = order.etag.clone());
    story.refused(stale, Aborted, "ETAG_MISMATCH").await;
    assert_eq!(story.ok(alice.confirm(&order, &[(1, "8")])).await.event_number, 0, "it says nothing new");

    story.refused(alice.confirm(&order, &[]), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
    let twice = alice.confirm(&order, &[(1, "1"), (1, "2")]);
    story.refused(twice, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines[1].line_number"]);
    let early =
        |on: &'static str| alice.confirm(&order, &[(1, "")]).with(|request| request.expected_date = on.to_owned());
    for (call, path) in [
        (alice.confirm(&order, &[(2, "0.5")]), "lines[0].quantity"),
        (early("2026-03-01"), "expected_date"),
        (
            alice.confirm(&order, &[(2, "5")]).with(|request| request.lines[0].packs = Some("1".to_owned())),
            "lines[0].packs",
        ),
    ] {
        story.refused(call, InvalidArgument, STORED).await.names_fields(&[path]);
    }
    story.refused(early("2026-02-30"), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["expected_date"]);
    let refused = story.refused(alice.confirm(&order, &[(4, "")]), NotFound, "LINE_NOT_FOUND").await;
    assert_eq!(refused.metadata("line_numbers"), "4");
    let draft = alice.draft(&[("apples", "10")]).await;
    let refused = story.refused(alice.confirm(&draft, &[(1, "")]), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "DRAFT");
    story.refused(alice.confirm(&absent(), &[(1, "")]), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(bob.confirm(&order, &[(1, "")]), PermissionDenied, "PERMISSION_MISSING").await;
    let operator = story.world.operator();
    story.refused(operator.confirm(&order, &[(1, "")]), PermissionDenied, "NO_STORE_ACCESS").await;
    let nobody = story.world.caller("");
    story.refused(nobody.confirm(&order, &[(1, "")]), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
