//! What is awaited and what is late: the lists of outstanding lines and of orders by their expected dates, of one store and
//! over all stores of a caller.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::PurchaseOrderSorting::ExpectedDate;
use purchase_order_service::proto::v1::PurchaseOrderState::{OnOrder, Receiving};
use purchase_order_service::proto::v1::{
    ListOutstandingLinesRequest, ListPurchaseOrdersRequest, OutstandingLine, Permission, PurchaseOrder,
    PurchaseOrderAction,
};
use rstest::rstest;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, World};

/// A line with its store and order, when it is due, and how much is pending.
fn told(line: &OutstandingLine) -> String {
    let due = if line.due_date.is_empty() { "never" } else { &line.due_date };
    format!("{due} {} {} {}: {} {}", line.store_id, line.number, line.line_number, line.pending, line.product_id)
}

/// All pages of a list, of so many rows each.
async fn paged(call: impl Fn() -> Call<ListOutstandingLinesRequest>, page_size: i32) -> Vec<OutstandingLine> {
    let (mut lines, mut token) = (Vec::new(), String::new());
    loop {
        let page = call().with(|request| (request.page_size, request.page_token) = (page_size, token.clone()));
        let page = page.ok().await;
        assert!(page.lines.len() <= page_size as usize);
        lines.extend(page.lines);
        token = page.next_page_token;
        if token.is_empty() {
            return lines;
        }
    }
}

async fn of(call: Call<ListOutstandingLinesRequest>) -> Vec<String> {
    call.ok().await.lines.iter().map(told).collect()
}

/// An order that was placed, of one product and expected on a day.
async fn expected(caller: &Caller, product: &str, day: &str) -> PurchaseOrder {
    let draft = caller.create(&[(product, "10")]).with(|request| request.expected_date = day.to_owned());
    caller.place(&draft.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap()
}

/// A world with a second store, on the other side of the date line, which alice owns too.
async fn with_auckland(on: Engine) -> Option<(World, Caller, Caller)> {
    let world = World::on(on).await?;
    let auckland = world.operator().at("auckland").create_store("alice");
    auckland.with(|request| request.time_zone = "Pacific/Auckland".to_owned()).ok().await;
    let alice = world.alice();
    let south = alice.at("auckland");
    Some((world, alice, south))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_judged_by_the_day_of_each_store(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, north, south)) = with_auckland(on).await else { return };
    let everywhere = north.at("-");
    expected(&north, "apples", "2026-03-04").await;
    expected(&south, "apples", "2026-03-04").await;
    expected(&north, "pears", "2026-03-06").await;
    north.order(&[("plums", "3")]).await;

    let overdue = || everywhere.outstanding().with(|request| request.overdue = true);
    let orders = |caller: &Caller| caller.list().with(|request| request.overdue = true);
    assert_eq!(of(overdue()).await, [""; 0]);
    // Noon on the 4th in Amsterdam is the 5th in Auckland.
    world.clock.set("2026-03-04T11:30:00Z");
    assert_eq!(of(overdue()).await, ["2026-03-04 auckland PO-000001 1: 10 apples"]);
    assert_eq!(orders(&north).ok().await.purchase_orders.len(), 0);
    assert_eq!(orders(&south).ok().await.purchase_orders.len(), 1);
    world.clock.set("2026-03-05T11:30:00Z");
    let found = overdue().ok().await.lines;
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        ["2026-03-04 auckland PO-000001 1: 10 apples", "2026-03-04 north PO-000001 1: 10 apples"]
    );
    assert_eq!(found.iter().map(|line| (line.overdue_days, line.age_days)).collect::<Vec<_>>(), [(2, 4), (1, 3)]);
    let late = orders(&north).ok().await.purchase_orders;
    assert_eq!(late.iter().map(|order| &*order.number).collect::<Vec<_>>(), ["PO-000001"]);

    let this_week = everywhere.outstanding().with(|request| {
        (request.due_from, request.due_before) = ("2026-03-05".to_owned(), "2026-03-09".to_owned());
    });
    assert_eq!(of(this_week).await, ["2026-03-06 north PO-000002 1: 10 pears"]);
    assert_eq!(
        of(everywhere.outstanding()).await,
        [
            "2026-03-04 auckland PO-000001 1: 10 apples",
            "2026-03-04 north PO-000001 1: 10 apples",
            "2026-03-06 north PO-000002 1: 10 pears",
            "never north PO-000003 1: 3 plums",
        ]
    );
    let from = everywhere.outstanding().with(|request| request.due_from = "2026-03-01".to_owned());
    assert_eq!(of(from).await.len(), 3, "a line without a date is in no range of dates");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_found_by_whatever_is_known_of_it(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, north, south)) = with_auckland(on).await else { return };
    let everywhere = north.at("-");
    let first = expected(&north, "apples", "2026-03-04").await;
    let amended = north.amend(&first, &[]).with(|request| {
        request.lines.clear();
        request.expected_date = Some("2026-03-20".to_owned());
    });
    amended.ok().await;
    north.confirm(&first, &[(1, "7")]).ok().await;
    let other = north.create(&[("apples", "5"), ("pears", "2")]).with(|request| {
        (request.supplier_id, request.expected_date) = ("bolt".to_owned(), "2026-03-10".to_owned());
        request.lines[1].expected_date = "2026-03-25".to_owned();
    });
    let other = north.place(&other.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    north.receive(&other).accept(1, "1").ok().await;
    let child = north.back_order(&other).await;
    expected(&south, "apples", "2026-03-15").await;
    let done = south.order(&[("apples", "1")]).await;
    south.receive(&done).accept(1, "1").ok().await;
    south.draft(&[("apples", "1")]).await;

    let apples_of_other = "2026-03-10 north PO-000002-B1 1: 4 apples";
    let pears_of_other = "2026-03-25 north PO-000002-B1 2: 2 pears";
    let of_first = "2026-03-20 north PO-000001 1: 10 apples";
    let of_south = "2026-03-15 auckland PO-000001 1: 10 apples";
    type Filter = fn(&mut ListOutstandingLinesRequest);
    let asked: [(&str, Filter, &[&str]); 11] = [
        ("all", |_| {}, &[apples_of_other, of_south, of_first, pears_of_other]),
        ("a supplier", |r| r.supplier_id = "bolt".into(), &[apples_of_other, pears_of_other]),
        ("no supplier", |r| r.supplier_id = "nobody".into(), &[]),
        ("a product", |r| r.product_id = "apples".into(), &[apples_of_other, of_south, of_first]),
        ("back orders", |r| r.back_orders_only = true, &[apples_of_other, pears_of_other]),
        ("originals", |r| r.chain_position_to = Some(0), &[of_south, of_first]),
        ("second back orders", |r| r.chain_position_from = 2, &[]),
        ("a number", |r| r.number = "po-000002-b1".into(), &[apples_of_other, pears_of_other]),
        ("a number of both", |r| r.number = "PO-000001".into(), &[of_south, of_first]),
        ("a shortfall", |r| r.confirmed_shortfall_only = true, &[of_first]),
        (
            "several",
            |r| (r.product_id, r.supplier_id, r.due_before) = ("apples".into(), "bolt".into(), "2026-03-11".into()),
            &[apples_of_other],
        ),
    ];
    for (name, filter, expected) in asked {
        assert_eq!(of(everywhere.outstanding().with(filter)).await, expected, "{name}");
        let here: Vec<&str> = expected.iter().copied().filter(|line| line.contains(" north ")).collect();
        assert_eq!(of(north.outstanding().with(filter)).await, here, "{name} in one store");
        for size in [1, 2] {
            let pages = paged(|| everywhere.outstanding().with(filter), size).await;
            assert_eq!(pages.iter().map(told).collect::<Vec<_>>(), expected, "{name} by {size}");
        }
    }
    let short = north.outstanding().with(|request| request.confirmed_shortfall_only = true).ok().await.lines;
    let line = &short[0];
    assert_eq!((&*line.confirmed, &*line.shortfall, &*line.first_expected_date), ("7", "3", "2026-03-04"));
    assert_eq!((line.pending_cost.as_deref(), &*line.currency), (Some("25"), "EUR"));
    let of_child = north.outstanding().with(|request| request.back_orders_only = true).ok().await.lines;
    let line = &of_child[0];
    assert_eq!((line.chain_position, &line.purchase_order_id), (1, &child.purchase_order_id));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn pages_over_stores_have_no_gap_and_no_double_while_orders_are_made(
    #[values(Sqlite, Postgres)] on: Engine,
    #[values(false, true)] filtered: bool,
) {
    let Some((world, north, south)) = with_auckland(on).await else { return };
    let everywhere = north.at("-");
    let day = |n: u32| format!("2026-03-{:02}", 4 + n % 9);
    let mut there = BTreeSet::new();
    for n in 0..24 {
        let caller = if n % 3 == 0 { &south } else { &north };
        let order = expected(caller, "apples", &day(n)).await;
        there.insert((caller.store_id(), order.number));
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    for n in 0.. {
        let page = everywhere.outstanding().with(|request| {
            (request.page_size, request.page_token) = (3, token.clone());
            request.supplier_id = if filtered { "acme".to_owned() } else { String::new() };
        });
        let page = page.ok().await;
        seen.extend(page.lines);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // New lines come before and behind the page, and one that was shown is received.
        expected(if n % 2 == 0 { &south } else { &north }, "pears", &day(n * 5)).await;
        if let Some(shown) = seen.last() {
            let order =
                PurchaseOrder { purchase_order_id: shown.purchase_order_id.clone(), ..PurchaseOrder::default() };
            north.at(&shown.store_id).receive(&order).all_pending().ok().await;
        }
        assert!(n < 40, "it comes to an end");
    }
    let keys: Vec<_> = seen.iter().map(|line| (line.due_date.clone(), line.store_id.clone())).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let distinct: BTreeSet<_> = seen.iter().map(|line| (line.store_id.clone(), line.number.clone())).collect();
    assert_eq!(distinct.len(), seen.len(), "no line comes twice");
    assert_eq!(there.difference(&distinct).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "none is left out");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_over_stores_has_those_in_which_its_caller_holds_the_permission_now(
    #[values(Sqlite, Postgres)] on: Engine,
) {
    let Some((world, north, south)) = with_auckland(on).await else { return };
    for (caller, permissions) in
        [(&north, vec![Permission::ViewReports, Permission::ViewCosts]), (&south, vec![Permission::ViewReports])]
    {
        caller.create_role("auditor", &permissions).ok().await;
        caller.grant("dora", "auditor").ok().await;
        caller.create_role("onlooker", &[Permission::View]).ok().await;
        caller.grant("emil", "onlooker").ok().await;
        for n in 4..8 {
            expected(caller, "apples", &format!("2026-03-{n:02}")).await;
        }
    }
    let dora = world.caller("dora").at("-");
    let found = dora.outstanding().ok().await.lines;
    assert_eq!(found.len(), 8);
    for line in &found {
        let shown = (line.store_id == "north").then_some("25");
        assert_eq!(line.pending_cost.as_deref(), shown, "costs are shown where they may be seen: {}", told(line));
    }
    for nobody in [world.caller("emil"), world.caller("mallory"), world.operator()] {
        assert_eq!(of(nobody.at("-").outstanding()).await, [""; 0], "there is no store in which they may");
    }

    let first = dora.outstanding().with(|request| request.page_size = 3).ok().await;
    assert_eq!(first.lines.iter().filter(|line| line.store_id == "auckland").count(), 2);
    south.revoke("dora", "auditor").ok().await;
    let rest = dora.outstanding().with(|request| (request.page_size, request.page_token) = (9, first.next_page_token));
    assert_eq!(
        of(rest).await,
        [5, 6, 7].map(|n| format!("2026-03-{n:02} north PO-{:06} 1: 10 apples", n - 3)),
        "the other store is in the next page no more"
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_found_by_their_expected_date_and_ignoring_case(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let late = expected(&alice, "apples", "2026-03-20").await;
    let soon = expected(&alice, "pears", "2026-03-04").await;
    let undated = alice.create(&[("plums", "1")]).with(|request| {
        (request.supplier_reference, request.external_id) = ("Ab-Ö7".to_owned(), "erp-1".to_owned());
    });
    let undated = undated.ok().await.purchase_order.unwrap();
    let middle = expected(&alice, "apples", "2026-03-10").await;
    alice.receive(&middle).accept(1, "3").ok().await;
    let by_date = |request: &mut ListPurchaseOrdersRequest| request.order_by = ExpectedDate.into();
    let numbers = |orders: &[PurchaseOrder]| orders.iter().map(|order| order.number.clone()).collect::<Vec<_>>();
    let in_order = [&soon, &middle, &late, &undated].map(|order| order.number.clone());
    assert_eq!(numbers(&alice.list().with(by_date).ok().await.purchase_orders), in_order);
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = alice.list().with(by_date);
        let page = page.with(|request| (request.page_size, request.page_token) = (1, token.clone())).ok().await;
        paged.extend(numbers(&page.purchase_orders));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, in_order, "page by page");

    type Filter = fn(&mut ListPurchaseOrdersRequest);
    let asked: [(&str, Filter, &[&PurchaseOrder]); 9] = [
        ("from", |r| r.expected_from = "2026-03-10".into(), &[&middle, &late]),
        ("before", |r| r.expected_before = "2026-03-10".into(), &[&soon]),
        ("between", |r| (r.expected_from, r.expected_before) = ("2026-03-05".into(), "2026-03-20".into()), &[&middle]),
        ("of a product", |r| r.product_id = "apples".into(), &[&middle, &late]),
        ("of a supplier", |r| r.supplier_id = "acme".into(), &[&soon, &middle, &late, &undated]),
        ("live ones", |r| r.states = vec![OnOrder.into(), Receiving.into()], &[&soon, &middle, &late]),
        ("an id of the caller's", |r| r.external_id = "erp-1".into(), &[&undated]),
        ("another case of a reference", |r| r.supplier_reference = "aB-Ö7".into(), &[&undated]),
        ("another case of a number", |r| r.number_prefix = "po-000002".into(), &[&soon]),
    ];
    for (name, filter, expected) in asked {
        let expected: Vec<String> = expected.iter().map(|order| order.number.clone()).collect();
        let found = alice.list().with(filter).with(by_date).ok().await.purchase_orders;
        assert_eq!(numbers(&found), expected, "{name}");
        let newest: BTreeSet<String> =
            numbers(&alice.list().with(filter).ok().await.purchase_orders).into_iter().collect();
        let expected: BTreeSet<String> = expected.into_iter().collect();
        assert_eq!(newest, expected, "{name}, newest first");
    }
    let folded = alice.list().with(|request| request.supplier_reference = "ab-ö7".to_owned());
    assert_eq!(folded.ok().await.purchase_orders.len(), 0, "only letters of ASCII are alike");
    let other = alice.list().with(|request| request.external_id = "ERP-1".to_owned());
    assert_eq!(other.ok().await.purchase_orders.len(), 0, "an id of the caller's is what it is");
    world.verify().await;
}

/// The stores and numbers of all pages of a list of orders, of so many rows each.
async fn all_orders(call: impl Fn() -> Call<ListPurchaseOrdersRequest>, page_size: i32) -> Vec<String> {
    let (mut orders, mut token) = (Vec::new(), String::new());
    loop {
        let page = call().with(|request| (request.page_size, request.page_token) = (page_size, token.clone()));
        let page = page.ok().await;
        assert!(page.purchase_orders.len() <= page_size as usize);
        orders.extend(page.purchase_orders.iter().map(|order| format!("{} {}", order.store_id, order.number)));
        token = page.next_page_token;
        if token.is_empty() {
            return orders;
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn orders_of_all_stores_are_one_list(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, north, south)) = with_auckland(on).await else { return };
    let everywhere = north.at("-");
    for (minute, caller, product, day) in [
        (1, &north, "apples", "2026-03-09"),
        (2, &south, "apples", ""),
        (3, &south, "pears", "2026-03-05"),
        (4, &north, "pears", "2026-03-05"),
        // At the same moment the stores are in the order of their ids.
        (4, &south, "plums", "2026-03-20"),
        (5, &north, "plums", ""),
    ] {
        world.clock.set(&format!("2026-03-02T10:{minute:02}:00Z"));
        expected(caller, product, day).await;
    }
    let cancelled = south.order(&[("apples", "1")]).await;
    south.cancel(&cancelled).ok().await;
    let newest = [
        "auckland PO-000004",
        "north PO-000003",
        "auckland PO-000003",
        "north PO-000002",
        "auckland PO-000002",
        "auckland PO-000001",
        "north PO-000001",
    ];
    type Filter = fn(&mut ListPurchaseOrdersRequest);
    let of_apples = ["auckland PO-000004", "auckland PO-000001", "north PO-000001"];
    let asked: [(&str, Filter, &[&str]); 12] = [
        ("nothing", |_| {}, &newest),
        ("a product", |r| r.product_id = "apples".into(), &of_apples),
        ("a supplier", |r| r.supplier_id = "acme".into(), &newest),
        ("no supplier", |r| r.supplier_id = "bolt".into(), &[]),
        ("a number", |r| r.number_prefix = "po-000002".into(), &[newest[3], newest[4]]),
        ("states", |r| r.states = vec![OnOrder.into(), Receiving.into()], &newest[1..]),
        ("a state of a supplier", |r| (r.states, r.supplier_id) = (vec![OnOrder.into()], "acme".into()), &newest[1..]),
        ("dates", |r| r.expected_before = "2026-03-10".into(), &[newest[3], newest[4], newest[6]]),
        ("overdue", |r| r.overdue = true, &[]),
        ("no id", |r| r.external_id = "erp-1".into(), &[]),
        ("no reference", |r| r.supplier_reference = "R-1".into(), &[]),
        ("back orders", |r| r.back_orders_only = true, &[]),
    ];
    for (name, filter, expected) in asked {
        for size in [1, 2, 100] {
            let found = all_orders(|| everywhere.list().with(filter), size).await;
            assert_eq!(found, expected, "{name} by {size}");
        }
    }
    let by_date: [(&str, Filter, &[&str]); 3] = [
        (
            "nothing",
            |_| {},
            &[
                "auckland PO-000002",
                "north PO-000002",
                "north PO-000001",
                "auckland PO-000003",
                "auckland PO-000001",
                "auckland PO-000004",
                "north PO-000003",
            ],
        ),
        (
            "dates",
            |r| (r.expected_from, r.expected_before) = ("2026-03-05".into(), "2026-03-10".into()),
            &["auckland PO-000002", "north PO-000002", "north PO-000001"],
        ),
        ("a product", |r| r.product_id = "apples".into(), &["north PO-000001", newest[5], newest[0]]),
    ];
    for (name, filter, expected) in by_date {
        for size in [1, 2, 100] {
            let sorted = |r: &mut ListPurchaseOrdersRequest| r.order_by = ExpectedDate.into();
            let found = all_orders(|| everywhere.list().with(filter).with(sorted), size).await;
            let mut expected: Vec<&str> = expected.to_vec();
            let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
            if name == "a product" {
                // Those without a date come by store and id, and ids are no order that people know.
                expected[1..].sort_unstable();
                found[1..].sort_unstable();
            }
            if name == "nothing" {
                expected[4..6].sort_unstable();
                found[4..6].sort_unstable();
            }
            assert_eq!(found, expected, "{name} by {size}, by date");
        }
    }

    south.create_role("onlooker", &[Permission::View]).ok().await;
    south.grant("bob", "onlooker").ok().await;
    let seen = world.bob().at("-").list().ok().await.purchase_orders;
    assert_eq!(seen.len(), 7);
    assert!(seen.iter().all(|order| order.ordered_cost.is_none()), "bob sees no costs anywhere");
    north.create_role("costs", &[Permission::ViewCosts]).ok().await;
    north.grant("bob", "costs").ok().await;
    for order in world.bob().at("-").list().ok().await.purchase_orders {
        assert_eq!(order.ordered_cost.is_some(), order.store_id == "north", "{}", order.number);
        let receives = order.allowed_actions.contains(&(PurchaseOrderAction::Receive as i32));
        assert_eq!(receives, order.store_id == "north", "what may be done follows from the roles of its store");
    }
    world.verify().await;
}

/// A small pseudo-random number, the same in every run.
fn next(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

/// Whatever happens to orders, the list has what the orders themselves say is pending.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_what_all_orders_together_have_pending(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, north, south)) = with_auckland(on).await else { return };
    world.operator().at("auckland").enable_back_orders().ok().await;
    let mut seed = 20_260_302;
    let mut orders: Vec<(Caller, PurchaseOrder)> = Vec::new();
    for _ in 0..120 {
        let day = format!("2026-03-{:02}", 10 + next(&mut seed, 9));
        if orders.len() < 8 || next(&mut seed, 6) == 0 {
            let caller = if next(&mut seed, 2) == 0 { &north } else { &south };
            let draft = caller.create(&[("apples", "9"), ("pears", "4"), ("plums", "2")]).with(|request| {
                request.expected_date = if day.ends_with('3') { String::new() } else { day.clone() };
                request.lines[1].expected_date = if day.ends_with('4') { day.clone() } else { String::new() };
            });
            let draft = draft.ok().await.purchase_order.unwrap();
            orders.push((caller.clone(), draft));
            continue;
        }
        let (caller, order) = orders[next(&mut seed, orders.len() as u64) as usize].clone();
        // Each of them may be refused: that changes nothing.
        match next(&mut seed, 9) {
            0 => drop(caller.place(&order).await),
            1 => drop(caller.receive(&order).accept(1, "2").await),
            2 => drop(caller.receive(&order).all_pending().await),
            3 => drop(caller.void(&order, 1 + next(&mut seed, 3) as i32).await),
            4 => {
                let amend = caller.amend(&order, &[(1, "6")]).with(|request| request.expected_date = Some(day));
                drop(amend.await);
            }
            5 => drop(caller.confirm(&order, &[(2, "1")]).with(|r| r.expected_date = day).await),
            6 => drop(caller.cancel_lines(&order, &[(3, "")]).await),
            7 => {
                use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
                if let Ok(completed) = caller.complete(&order).rest(BackOrder).await
                    && let Some(child) = completed.back_order
                {
                    let child = caller.seen(&child.purchase_order_id).await;
                    orders.push((caller, child));
                }
            }
            _ => match next(&mut seed, 2) {
                0 => drop(caller.reopen(&order).await),
                _ => drop(caller.cancel(&order).await),
            },
        }
    }
    let mut expected = Vec::new();
    for (caller, order) in &orders {
        let now = caller.seen(&order.purchase_order_id).await;
        for line in caller.lines(order).await {
            if [OnOrder as i32, Receiving as i32].contains(&now.state) && line.pending != "0" {
                let due = if line.expected_date.is_empty() { "none".to_owned() } else { line.expected_date };
                let id = order.purchase_order_id.clone();
                expected.push((due, caller.store_id(), id, line.line_number, line.pending));
            }
        }
    }
    expected.sort();
    assert!(expected.len() > 10, "something is outstanding: {expected:?}");
    let everywhere = north.at("-");
    for size in [7, 100] {
        let mut found = Vec::new();
        for line in paged(|| everywhere.outstanding(), size).await {
            let due = if line.due_date.is_empty() { "none".to_owned() } else { line.due_date };
            found.push((due, line.store_id, line.purchase_order_id, line.line_number, line.pending));
        }
        assert_eq!(found, expected, "by {size}");
    }
    world.verify().await;
}
