//! Refusals that list things name the first 20 and tell how many there are; and whatever they list,
//! they arrive: a refusal travels in headers, which have their own limits.

use std::collections::BTreeMap;

use purchase_order_service::proto::v1::*;
use rstest::rstest;
use tonic::Code::{self, FailedPrecondition, InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Refused, World, line, together};

/// The first 20 of these, as refusals list them.
fn first_20<T: ToString>(all: impl Iterator<Item = T>) -> String {
    all.take(20).map(|one| one.to_string()).collect::<Vec<_>>().join(",")
}

fn names_lines(refused: &Refused, from: i32, total: usize) {
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), (first_20(from..), total.to_string()));
    let more = format!("and {} more", total - 20);
    assert!(refused.message().contains(&more) && refused.message().len() < 400, "{}", refused.message());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_named_up_to_20(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let empty = alice.draft(&[("apples", "0"); 25]).await;
    names_lines(&alice.place(&empty).refused(FailedPrecondition, "LINES_WITHOUT_QUANTITY").await, 1, 25);
    let dated = alice.create(&[("apples", "2"); 25]).with(|request| request.expected_date = "2026-03-02".to_owned());
    let dated = dated.ok().await.purchase_order.unwrap();
    world.clock.set("2026-03-03T09:00:00Z");
    names_lines(&alice.place(&dated).refused(FailedPrecondition, "EXPECTED_DATE_PASSED").await, 1, 25);

    let order = alice.order(&[("apples", "2"); 25]).await;
    let over = (1..=25).fold(alice.receive(&order), |receive, line| receive.accept(line, "3"));
    names_lines(&over.refused(FailedPrecondition, "OVER_RECEIPT").await, 1, 25);
    let beyond = (101..=125).fold(alice.receive(&order), |receive, line| receive.accept(line, "1"));
    names_lines(&beyond.refused(NotFound, "LINE_NOT_FOUND").await, 101, 25);
    (1..=25).fold(alice.receive(&order), |receive, line| receive.accept(line, "1")).ok().await;
    names_lines(&alice.complete(&order).refused(FailedPrecondition, "PENDING_UNSETTLED").await, 1, 25);
    let beyond = (101..=125).fold(alice.complete(&order), |complete, line| complete.line(line, "1", ""));
    names_lines(&beyond.refused(NotFound, "LINE_NOT_FOUND").await, 101, 25);
    world.operator().disable_back_orders().ok().await;
    let complete = alice.complete(&order).rest(PendingDisposition::BackOrder);
    names_lines(&complete.refused(FailedPrecondition, "BACK_ORDERS_DISABLED").await, 1, 25);
    let preview = alice.preview(&order).rest(PendingDisposition::BackOrder).ok().await;
    assert_eq!(preview.blockers[0].line_numbers, (1..=20).collect::<Vec<_>>());
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_named_up_to_20(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.operator().disable_back_orders().ok().await;
    for _ in 0..25 {
        world.alice().draft(&[("apples", "1")]).await;
    }
    let refused = world.operator().enable_back_orders().refused(FailedPrecondition, "OPEN_PURCHASE_ORDERS").await;
    let numbers = first_20((1..).map(|n| format!("PO-{n:06}")));
    assert_eq!((refused.metadata("numbers"), refused.metadata("total")), (numbers, "25".to_owned()));
    assert!(refused.message().contains("25 are open: ") && refused.message().ends_with("and 5 more"));
    world.verify().await;
}

/// 64 bytes, of which most take three characters in a header.
fn product(n: usize) -> String {
    format!("{}{n:02}", "é".repeat(31))
}

/// Fills the levels of 25 products to the brim, in five orders.
async fn fill_levels(alice: &Caller) {
    for of_order in 0..5 {
        let products: Vec<String> = (0..5).map(|n| product(of_order * 5 + n)).collect();
        let lines: Vec<(&str, &str)> =
            products.iter().flat_map(|product| vec![(product.as_str(), "999999999"); 900]).collect();
        alice.order(&lines).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn products_are_named_as_far_as_they_fit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    fill_levels(&alice).await;
    let lines: Vec<NewLine> = (0..25).map(|n| line(&product(n), "901")).collect();
    let draft = alice.create(&[]).with(|request| request.lines = lines).ok().await.purchase_order.unwrap();

    let refused = alice.place(&draft).refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;

    // 20 names of 64 bytes do not fit: they are cut at 1,000 bytes.
    assert_eq!(refused.metadata("total"), "25");
    let named = refused.metadata("product_ids");
    assert!(named.len() <= 1_000 && named.starts_with(&format!("{},{},", product(0), product(1))), "{named}");
    assert!(refused.message().len() <= 1_000, "{}", refused.message());
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn principals_are_named_as_far_as_they_fit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let names = ["n".repeat(198), "é".repeat(99), "\u{1f34e}".repeat(49)];
    for (role, name) in ["ascii", "two-bytes", "four-bytes"].into_iter().zip(names) {
        alice.create_role(role, &[Permission::View]).ok().await;
        for granted in together((0..25).map(|n| alice.grant(&format!("{n:02}{name}"), role))).await {
            granted.unwrap();
        }
        let refused = alice.delete_role(role).refused(FailedPrecondition, "ROLE_IN_USE").await;
        assert_eq!(refused.metadata("total"), "25", "{role}");
        let named = refused.metadata("principals");
        assert!((900..=1_000).contains(&named.len()) && named.starts_with("00"), "{role}: {named}");
        assert!((900..=1_000).contains(&refused.message().len()), "{role}: {}", refused.message());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn permissions_are_all_named(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.create_role("access", &[Permission::ManageAccess]).ok().await;
    alice.grant("dora", "access").ok().await;
    let refused = world.caller("dora").grant("dora", "owner").refused(Code::PermissionDenied, "PERMISSION_NOT_HELD");
    let refused = refused.await;
    assert_eq!(refused.metadata("permissions").split(',').count(), 11);
    let all: Vec<Permission> = (1..=12).map(|n| Permission::try_from(n).unwrap()).collect();
    let update = world.caller("dora").update_role("access", &all);
    let refused = update.refused(Code::PermissionDenied, "PERMISSION_NOT_HELD").await;
    assert_eq!(refused.metadata("permissions").split(',').count(), 11);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn violations_are_named_up_to_20(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let long = product(0);
    alice.draft(&[(long.as_str(), "1")]).await;
    // Paths and rules about as long as they come.
    let other_unit = |n: i32| NewLine { unit: n, ..line(&long, "1") };
    let lines = |unit: Unit| vec![other_unit(unit.into()); 5_000];
    let stored = alice.create(&[]).with(|request| request.lines = lines(Unit::SquareMetre));
    let stored = stored.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    let form = alice.create(&[]).with(|request| {
        request.lines = lines(Unit::Each);
        request.lines.iter_mut().for_each(|line| line.quantity = Some("05".to_owned()));
    });
    let form = form.refused(InvalidArgument, "INVALID_REQUEST").await;
    for (refused, field) in [(stored, "unit"), (form, "quantity")] {
        assert_eq!(refused.metadata("violations_total"), "5000");
        assert!(refused.message().len() <= 1_000);
        let fields: BTreeMap<usize, String> = (0..20).map(|n| (n, format!("lines[{n}].{field}"))).collect();
        refused.names_fields(&fields.values().map(String::as_str).collect::<Vec<_>>());
    }
    world.verify().await;
}
