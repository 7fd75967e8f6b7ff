//! The story of FindReceivable: where the goods in hand can be received.

use purchase_order_service::proto::v1::{FindReceivableRequest, ReceivableLine};
use rstest::rstest;
use tonic::Code::{InvalidArgument, PermissionDenied, Unauthenticated};

use crate::contract::story::Story;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::unlisted_item;

/// A line with its order: pending, and how much more may be received.
fn told(line: &ReceivableLine) -> String {
    format!(
        "{} {} {}: {} pending, {} receivable",
        line.number, line.line_number, line.product_id, line.pending, line.receivable
    )
}

/// A receiver scans a box, and is told which orders wait for it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn find_receivable(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<FindReceivableRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    story.world.operator().enable_back_orders().ok().await;
    let with_gtin = alice.create(&[("rice", "10"), ("tea", "4"), ("rice", "2")]).with(|request| {
        request.supplier_reference = "S-1".to_owned();
        request.expected_date = "2026-03-10".to_owned();
        request.lines[0].gtin = "036000291452".to_owned();
        request.lines[0].over_receipt_tolerance = Some("25".to_owned());
    });
    let first = alice.place(&with_gtin.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    let other = alice.create(&[("rice", "7")]).with(|request| request.supplier_id = "bolt".to_owned());
    let other = alice.place(&other.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    alice.draft(&[("rice", "100")]).await;
    alice.receive(&first).accept(1, "4").ok().await;
    let cancelled = alice.order(&[("rice", "1")]).await;
    alice.cancel(&cancelled).ok().await;

    let found = story.ok(bob.find("rice")).await.lines;
    let expected = [
        "PO-000001 1 rice: 6 pending, 8 receivable",
        "PO-000001 3 rice: 2 pending, 2 receivable",
        "PO-000002 1 rice: 7 pending, 7 receivable",
    ];
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expected);
    let line = &found[0];
    assert_eq!(
        (&*line.supplier_id, &*line.supplier_reference, &*line.expected_date, &*line.received, &*line.gtin),
        ("acme", "S-1", "2026-03-10", "4", "036000291452")
    );
    assert_eq!((&line.purchase_order_id, line.original_order_time), (&first.purchase_order_id, first.order_time));
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = bob.find("rice").with(|request| request.page_size = 1);
        let page = story.ok(page.with(|request| request.page_token = token.clone())).await;
        paged.extend(page.lines.iter().map(told));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, expected, "page by page");
    let of_bolt = bob.find("rice").with(|request| request.supplier_id = "bolt".to_owned());
    assert_eq!(story.ok(of_bolt).await.lines.iter().map(told).collect::<Vec<_>>(), expected[2..]);
    let scan = |gtin: &str| bob.find("").with(|request| request.gtin = gtin.to_owned());
    for gtin in ["036000291452", "0036000291452", "00036000291452"] {
        assert_eq!(story.ok(scan(gtin)).await.lines.iter().map(told).collect::<Vec<_>>(), expected[..1], "{gtin}");
    }
    assert_eq!(story.ok(bob.find("coal")).await.lines, [], "nothing is found, and nothing is wrong");

    // A back order takes over what is pending, and a product that nobody ordered is found by its line.
    let unlisted = alice.update_store(&["allow_unlisted_items"]);
    unlisted.with(|request| request.allow_unlisted_items = true).ok().await;
    let child = alice.back_order(&first).await;
    alice.receive(&child).with(|request| request.items.push(unlisted_item("soap", "3"))).ok().await;
    let found = story.ok(scan("036000291452")).await.lines;
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), ["PO-000001-B1 1 rice: 6 pending, 7 receivable"]);
    let found = story.ok(bob.find("soap")).await.lines;
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        ["PO-000001-B1 4 soap: 0 pending, 999999996.9999 receivable"].map(|text| text.replace(".9999", ""))
    );
    let grandchild = alice.back_order(&child).await;
    assert_eq!(story.ok(bob.find("soap")).await.lines, [], "the back order has nothing of it pending");
    assert_eq!(alice.list().with(|request| request.product_id = "soap".to_owned()).ok().await.purchase_orders.len(), 1);
    let chain = alice.chain(&grandchild).ok().await.lines;
    let soap = chain.iter().find(|line| line.product_id == "soap").unwrap();
    assert_eq!((&*soap.ordered, &*soap.first_ordered, &*soap.amended), ("0", "0", "0"));
    assert_eq!((&*soap.received, &*soap.excess, soap.line_number), ("3", "3", 4));
    alice.receive(&other).accept(1, "7").ok().await;

    for (product, gtin, field) in [
        ("rice", "036000291452", "product_id"),
        ("", "", "product_id"),
        ("rice ", "", "product_id"),
        ("", "036000291453", "gtin"),
        ("", "36000291452", "gtin"),
    ] {
        let wrong = bob.find(product).with(|request| request.gtin = gtin.to_owned());
        story.refused(wrong, InvalidArgument, "INVALID_REQUEST").await.names_fields(&[field]);
    }
    for page_token in ["x", "AAAAAAAAAAAAAAAAAAAAAAAA", "1", "2"] {
        let forged = bob.find("rice").with(|request| request.page_token = page_token.to_owned());
        story.refused(forged, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    }
    for size in [-1, i32::MIN] {
        let negative = bob.find("rice").with(|request| request.page_size = size);
        story.refused(negative, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    }
    story.refused(story.world.caller("mallory").find("rice"), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.operator().find("rice"), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").find("rice"), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
