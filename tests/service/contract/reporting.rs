//! The story of GetSupplierPerformance: how the suppliers of a store performed.

use purchase_order_service::proto::v1::{GetSupplierPerformanceRequest, GetSupplierPerformanceResponse, Permission};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated};

use crate::contract::story::{FEWER_STORES, MORE_STORES, Story};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::STORE;

fn suppliers(answer: &GetSupplierPerformanceResponse) -> Vec<&str> {
    answer.suppliers.iter().map(|supplier| supplier.supplier_id.as_str()).collect()
}

/// A buyer prepares the yearly talks with three suppliers.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn get_supplier_performance(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GetSupplierPerformanceRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    for supplier in ["zeta", "acme", "Bolt"] {
        let create = alice.create(&[("apples", "2")]).with(|request| request.supplier_id = supplier.to_owned());
        alice.place(&create.ok().await.purchase_order.unwrap()).ok().await;
    }

    let found = story.ok(alice.performance()).await;
    assert_eq!(suppliers(&found), ["Bolt", "acme", "zeta"], "in the order of bytes");
    let page = |token: &str| alice.performance().with(|r| (r.page_size, r.page_token) = (2, token.to_owned()));
    let first = story.ok(page("")).await;
    let second = story.ok(page(&first.next_page_token)).await;
    assert_eq!((suppliers(&first), suppliers(&second)), (vec!["Bolt", "acme"], vec!["zeta"]));
    assert_eq!([first.suppliers, second.suppliers].concat(), found.suppliers);
    let of = |supplier: &str| alice.performance().with(|request| request.supplier_id = supplier.to_owned());
    assert_eq!(suppliers(&story.ok(of("acme")).await), ["acme"]);
    assert_eq!(suppliers(&story.ok(of("nobody")).await), [""; 0]);
    // The orders are of Monday, 2 March, in Amsterdam.
    let period = |from: &str, before: &str| {
        alice.performance().with(|r| (r.order_date_from, r.order_date_before) = (from.to_owned(), before.to_owned()))
    };
    for (from, before, orders) in
        [("2026-03-02", "2026-03-03", 3), ("2026-03-01", "2026-03-02", 0), ("2026-03-03", "2027-03-04", 0)]
    {
        assert_eq!(story.ok(period(from, before)).await.suppliers.len(), orders, "{from} to {before}");
    }

    for (from, before, field) in [
        ("", "2026-03-03", "order_date_from"),
        ("2026-03-02", "", "order_date_before"),
        ("2026-02-30", "2026-03-03", "order_date_from"),
        ("2026-03-02", "3 March 2026", "order_date_before"),
        ("2026-03-02", "2026-03-02", "order_date_before"),
        ("2026-03-02", "2026-03-01", "order_date_before"),
        ("2026-03-02", "2027-03-04", "order_date_before"),
    ] {
        story.refused(period(from, before), InvalidArgument, "INVALID_REQUEST").await.names_fields(&[field]);
    }
    story.refused(of(" acme"), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["supplier_id"]);
    let negative = alice.performance().with(|request| request.page_size = -1);
    story.refused(negative, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    story.refused(page("x"), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    let refused = story.refused(bob.performance(), PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "VIEW_REPORTS");
    story.refused(story.world.caller("mallory").performance(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.operator().performance(), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").performance(), Unauthenticated, "NO_CREDENTIALS").await;

    // Who reads reports need not know what goods cost.
    alice.create_role("analyst", &[Permission::ViewReports]).ok().await;
    alice.grant("dora", "analyst").ok().await;
    let shown = story.ok(story.world.caller("dora").performance()).await.suppliers;
    assert!(shown.iter().all(|supplier| supplier.price_variance.is_none() && supplier.outstanding_cost.is_none()));
    assert_eq!(shown[0].line_count, 1);

    // More than is added up in one call.
    let mut session = story.world.database.session();
    let holding = |items: i32| format!("UPDATE purchase_order SET receipt_items = {items} WHERE supplier_id = 'acme'");
    // Three lines, and these items: as much as there may be.
    session.batch(&holding(499_997)).unwrap();
    story.ok(alice.performance()).await;
    session.batch(&holding(500_000)).unwrap();
    story.refused(alice.performance(), FailedPrecondition, "REPORT_TOO_LARGE").await;
    let everywhere = || alice.at("-").performance();
    let left_out = story.ok(everywhere()).await;
    assert_eq!((suppliers(&left_out), &left_out.left_out_store_ids[..]), (vec![""; 0], &[STORE.to_owned()][..]));
    story.refused(of("acme"), FailedPrecondition, "REPORT_TOO_LARGE").await;
    story.ok(of("zeta")).await;
    // What is too much together comes page by page.
    story.world.operator().at("south").create_store("alice").ok().await;
    alice.at("south").order(&[("apples", "2")]).await;
    session.batch(&holding(499_997)).unwrap();
    let page = story.ok(everywhere()).await;
    assert_eq!(suppliers(&page), ["Bolt", "acme", "zeta"]);
    session.batch(&holding(0)).unwrap();
    let rest = story.ok(everywhere().with(|request| request.page_token = page.next_page_token)).await;
    assert_eq!((suppliers(&rest), &*rest.suppliers[0].store_id, &*rest.next_page_token), (vec!["acme"], "south", ""));

    session.batch(MORE_STORES).unwrap();
    story.refused(everywhere(), FailedPrecondition, "TOO_MANY_STORES").await;
    session.batch(FEWER_STORES).unwrap();
    story.end().await;
}
