//! Stories of GetInventoryLevel, ListInventoryLevels and ListStockMovements: what there is, what is on
//! its way, and how it came.

use purchase_order_service::proto::v1::AdjustmentKind::Sale;
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{
    GetInventoryLevelRequest, InventoryLot, ListInventoryLevelsRequest, ListInventoryLevelsResponse,
    ListInventoryLotsRequest, ListInventoryLotsResponse, ListStockMovementsRequest, StockMovementKind, Unit,
};
use rstest::rstest;
use tonic::Code::{InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::Story;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, at};

/// A salesperson asks what there is of a product.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn get_inventory_level(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GetInventoryLevelRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let refused = story.refused(bob.level("apples"), NotFound, "PRODUCT_NOT_FOUND").await;
    assert_eq!(refused.metadata("product_id"), "apples");
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    alice.back_order(&order).await;
    alice.received(&[("apples", "3")], &[(1, "2")]).await;

    let level = story.ok(bob.level("apples")).await.inventory_level.unwrap();
    let quantities = [&level.on_hand, &level.staged, &level.on_order, &level.back_ordered];
    assert_eq!(quantities, ["4", "2", "7", "6"]);
    assert_eq!((&*level.store_id, &*level.product_id), ("north", "apples"));

    story.refused(bob.level(""), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["product_id"]);
    story.refused(bob.level("Apples"), NotFound, "PRODUCT_NOT_FOUND").await;
    story.refused(story.world.operator().level("apples"), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").level("apples"), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

fn products(answer: &ListInventoryLevelsResponse) -> Vec<&str> {
    answer.inventory_levels.iter().map(|level| level.product_id.as_str()).collect()
}

fn of(call: Call<ListInventoryLevelsRequest>, products: &[&str]) -> Call<ListInventoryLevelsRequest> {
    call.with(|request| request.product_ids = products.iter().map(|product| (*product).to_owned()).collect())
}

/// A storekeeper goes along the shelves, and then looks at some of them.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_inventory_levels(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListInventoryLevelsRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    assert_eq!(products(&story.ok(bob.list_levels()).await), [""; 0], "nothing was ever ordered");
    let sorted = ["Zucchini", "a b", "a-b", "a_b", "apples", "apples2", "ab", "zucchini", "\u{e9}clairs"];
    let mut sorted = sorted.to_vec();
    sorted.sort_unstable_by_key(|product| product.as_bytes().to_vec());
    let lines: Vec<(&str, &str)> = sorted.iter().rev().map(|product| (*product, "2")).collect();
    alice.received(&lines, &[(1, "1")]).await;

    let all = story.ok(bob.list_levels()).await;
    assert_eq!(products(&all), sorted, "by bytes, whatever a person's language would say");
    for level in &all.inventory_levels {
        let alone = bob.level(&level.product_id).ok().await.inventory_level;
        assert_eq!(alone.as_ref(), Some(level), "it is as GetInventoryLevel tells it");
    }
    let mut paged: Vec<String> = Vec::new();
    let mut token = String::new();
    while paged.len() < sorted.len() {
        let page = bob.list_levels().with(|request| (request.page_size, request.page_token) = (4, token));
        let page = story.ok(page).await;
        paged.extend(products(&page).into_iter().map(str::to_owned));
        token = page.next_page_token;
        assert_eq!(token.is_empty(), paged.len() == sorted.len());
    }
    assert_eq!(paged, sorted);

    let some = ["zucchini", "kohlrabi", "ab", "zucchini", "Ab", "Zucchini"];
    let found = story.ok(of(bob.list_levels(), &some)).await;
    assert_eq!(products(&found), ["Zucchini", "ab", "zucchini"], "each once, and none that was never ordered");
    assert_eq!(products(&story.ok(of(bob.list_levels(), &["kohlrabi"])).await), [""; 0]);
    let decomposed = story.ok(of(bob.list_levels(), &["e\u{301}clairs"])).await;
    assert_eq!(products(&decomposed), ["\u{e9}clairs"], "however it is spelt");
    let page = story.ok(of(bob.list_levels(), &some).with(|request| request.page_size = 2)).await;
    let token = page.next_page_token;
    let rest = of(bob.list_levels(), &some).with(|request| request.page_token = token.clone());
    assert_eq!(products(&story.ok(rest).await), ["zucchini"]);
    what_cannot_be_listed(&story, &token).await;
    story.end().await;
}

async fn what_cannot_be_listed(story: &Story<ListInventoryLevelsRequest>, token: &str) {
    let bob = story.world.bob();
    let reordered = ["Zucchini", "Ab", "zucchini", "ab", "kohlrabi", "zucchini"];
    for others in [&["zucchini"][..], &[], &reordered] {
        let other = of(bob.list_levels(), others).with(|request| request.page_token = token.to_owned());
        story.refused(other, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    }
    let malformed = of(bob.list_levels(), &["apples", "", &"p".repeat(65), "a\tb"]);
    let refused = story.refused(malformed, InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["product_ids[1]", "product_ids[2]", "product_ids[3]"]);
    let many = vec!["apples"; 1_001];
    let refused = story.refused(of(bob.list_levels(), &many), InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["product_ids"]);
    let found = story.ok(of(bob.list_levels(), &many[1..])).await;
    assert_eq!(products(&found), ["apples"], "a thousand are as many as may be");
    let negative = bob.list_levels().with(|request| request.page_size = -1);
    story.refused(negative, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    let nowhere = bob.at("North").list_levels();
    story.refused(nowhere, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["store_id"]);
    for stranger in [story.world.operator(), story.world.caller("mallory"), bob.at("south")] {
        story.refused(stranger.list_levels(), PermissionDenied, "NO_STORE_ACCESS").await;
    }
    story.refused(story.world.caller("").list_levels(), Unauthenticated, "NO_CREDENTIALS").await;
}

/// A shop assistant takes out what expires before the weekend.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_inventory_lots(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListInventoryLotsRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let lots = |answer: &ListInventoryLotsResponse| -> Vec<String> {
        let text =
            |lot: &InventoryLot| format!("{} {} {}: {}", lot.product_id, lot.lot_code, lot.expiry_date, lot.on_hand);
        answer.inventory_lots.iter().map(text).collect()
    };
    let order = alice.order(&[("milk", "20"), ("cream", "9"), ("salt", "5")]).await;
    let delivery = alice.receive(&order).accept(1, "9").lot("B", "2026-04-02", "4").lot("A", "2026-05-01", "5");
    let delivery = delivery.accept(2, "3").lot("A", "2026-04-02", "2").lot("never", "", "1").accept(3, "5");
    delivery.ok().await;
    assert_eq!(lots(&story.ok(bob.list_lots()).await), [""; 0], "staged is not on hand");
    alice.complete(&order).rest(BackOrder).ok().await;
    let child = alice.list().with(|request| request.back_orders_only = true).ok().await.purchase_orders.remove(0);
    alice.receive(&child).accept(1, "2").lot("B", "2026-04-02", "1").lot("B", "2026-04-03", "1").ok().await;

    let all = story.ok(bob.list_lots()).await;
    let expected = ["cream A 2026-04-02: 2", "milk B 2026-04-02: 4", "milk A 2026-05-01: 5", "cream never : 1"];
    assert_eq!(lots(&all), expected, "salt is in no lot");
    assert_eq!((&*all.inventory_lots[0].store_id, all.inventory_lots[0].unit()), ("north", Unit::Each));
    let soon = bob.list_lots().with(|request| request.expires_before = "2026-05-01".to_owned());
    assert_eq!(lots(&story.ok(soon).await), expected[..2], "what expires on that day is sold on it");
    let milk = |request: &mut ListInventoryLotsRequest| request.product_id = "milk".to_owned();
    assert_eq!(lots(&story.ok(bob.list_lots().with(milk)).await), expected[1..3]);
    let none = bob.list_lots().with(milk).with(|request| request.expires_before = "2026-04-02".to_owned());
    assert_eq!(lots(&story.ok(none).await), [""; 0]);
    let unknown = bob.list_lots().with(|request| request.product_id = "coal".to_owned());
    assert_eq!(lots(&story.ok(unknown).await), [""; 0]);

    alice.complete(&child).rest(BackOrder).ok().await;
    alice.adjust("milk", Sale, "5").ok().await;
    let expected = ["cream A 2026-04-02: 2", "milk B 2026-04-03: 1", "milk A 2026-05-01: 5", "cream never : 1"];
    let (mut paged, mut token) = (Vec::new(), String::new());
    for left in [3, 2, 1, 0] {
        let page = bob.list_lots().with(|request| (request.page_size, request.page_token) = (1, token));
        let page = story.ok(page).await;
        paged.extend(lots(&page));
        token = page.next_page_token;
        assert_eq!(token.is_empty(), left == 0);
    }
    assert_eq!(paged, expected, "the lot that was sold out is not listed");
    what_lots_cannot_be_listed(&story).await;
    story.end().await;
}

async fn what_lots_cannot_be_listed(story: &Story<ListInventoryLotsRequest>) {
    let bob = story.world.bob();
    let first = bob.list_lots().with(|request| request.page_size = 1).ok().await.next_page_token;
    let lots = |change: fn(&mut ListInventoryLotsRequest)| bob.list_lots().with(change);
    for (call, field) in [
        (lots(|request| request.expires_before = "tomorrow".to_owned()), "expires_before"),
        (lots(|request| request.expires_before = "2026-02-30".to_owned()), "expires_before"),
        (lots(|request| request.product_id = "p".repeat(65)), "product_id"),
        (lots(|request| request.page_size = -1), "page_size"),
        (lots(|request| request.page_token = "2".to_owned()), "page_token"),
        (lots(|request| request.store_id.clear()), "store_id"),
        (lots(|request| request.product_id = "milk".to_owned()).with(|r| r.page_token = first.clone()), "page_token"),
    ] {
        story.refused(call, InvalidArgument, "INVALID_REQUEST").await.names_fields(&[field]);
    }
    for stranger in [story.world.operator(), story.world.caller("mallory"), bob.at("south")] {
        story.refused(stranger.list_lots(), PermissionDenied, "NO_STORE_ACCESS").await;
    }
    story.refused(story.world.caller("").list_lots(), Unauthenticated, "NO_CREDENTIALS").await;
}

/// An auditor asks where the stock of a product came from.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_stock_movements(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListStockMovementsRequest>::on(on).await else { return };
    let (alice, bob, carol) = (story.world.alice(), story.world.bob(), story.world.carol());
    story.refused(bob.movements("apples"), NotFound, "PRODUCT_NOT_FOUND").await;
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    assert_eq!(story.ok(bob.movements("apples")).await.stock_movements, [], "staged is not on hand");
    story.world.clock.set("2026-03-03T10:00:00Z");
    alice.receive(&order).accept(1, "5").ok().await;
    alice.back_order(&order).await;

    let first = story.ok(carol.movements("apples").with(|request| request.page_size = 1)).await;
    let movement = &first.stock_movements[0];
    assert_eq!((movement.movement_number, movement.kind()), (1, StockMovementKind::Receipt));
    let values = (&*movement.quantity, movement.unit_cost(), &*movement.balance_after);
    assert_eq!(values, ("4", "2.5", "4"));
    assert_eq!((&movement.purchase_order_id, movement.line_number), (&order.purchase_order_id, 1));
    let times = (movement.receive_time, movement.create_time);
    assert_eq!(times, (at("2026-03-02T09:00:00Z"), at("2026-03-03T10:00:00Z")));
    let token = first.next_page_token;
    let second = story.ok(bob.movements("apples").with(|request| request.page_token = token.clone())).await;
    assert_eq!((second.stock_movements.len(), &*second.stock_movements[0].balance_after), (1, "9"));

    let other = bob.movements("pears").with(|request| request.page_token = token);
    story.refused(other, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(story.world.operator().movements("apples"), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").movements("apples"), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}
