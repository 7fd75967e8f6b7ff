//! Page tokens of every list: each leads on in its own list, on every instance, and nowhere else;
//! nobody makes one up.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use purchase_order_service::proto::v1::*;
use rstest::rstest;
use tonic::Code::InvalidArgument;
use tonic::Status;

use crate::contract::documented::{CONTRACT, Documented};
use crate::contract::story::absent;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Rpc, World, at, reason};

const EVERY_CHARACTER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A page: the token of the next one, and all of it as text.
type Answered = Pin<Box<dyn Future<Output = Result<(String, String), Status>>>>;
type Ask = dyn Fn(&Caller, &str, Option<usize>) -> Answered;
type Change<R> = (&'static str, fn(&mut R));

/// A list rpc.
struct Listing {
    path: &'static str,
    /// Its request's fields, without those of the page.
    fields: Vec<&'static str>,
    /// Asks for a page of one row behind a token, with one of the fields changed.
    ask: Box<Ask>,
}

fn listing<R: Rpc>(
    call: impl Fn(&Caller) -> Call<R> + 'static,
    page: fn(&mut R, String),
    next: fn(&R::Answer) -> &String,
    others: Vec<Change<R>>,
) -> Listing {
    let fields = others.iter().map(|(field, _)| *field).collect();
    let ask = move |caller: &Caller, token: &str, other: Option<usize>| -> Answered {
        let mut call = call(caller);
        page(&mut call.request, token.to_owned());
        other.and_then(|other| others.get(other)).into_iter().for_each(|(_, change)| change(&mut call.request));
        Box::pin(async move { call.await.map(|answer| (next(&answer).clone(), format!("{answer:?}"))) })
    };
    Listing { path: R::PATH, fields, ask: Box::new(ask) }
}

impl Listing {
    /// Asks for the page behind a token, which must be refused.
    async fn refuses(&self, caller: &Caller, token: &str, other: Option<usize>, what: &str) {
        let refused = (self.ask)(caller, token, other).await.expect_err(&format!("{}: {what}", self.path));
        assert_eq!((refused.code(), &*reason(&refused)), (InvalidArgument, "INVALID_REQUEST"), "{}: {what}", self.path);
        assert!(refused.message().contains("page_token"), "{}: {what}: {}", self.path, refused.message());
    }
}

/// Every list rpc with, for each field of its request, something else to ask for.
fn listings(order: &PurchaseOrder) -> Vec<Listing> {
    [of_an_order(order), of_a_store()].into_iter().flatten().collect()
}

fn of_an_order(order: &PurchaseOrder) -> Vec<Listing> {
    let [a, b, c, d, e] = [(); 5].map(|()| order.clone());
    vec![
        listing::<ListPurchaseOrderLinesRequest>(
            move |caller| caller.list_lines(&a),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("purchase_order_id", |r| r.purchase_order_id = absent().purchase_order_id),
                ("pending_only", |r| r.pending_only = true),
            ],
        ),
        listing::<ListReceiptsRequest>(
            move |caller| caller.list_receipts(&b),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("purchase_order_id", |r| r.purchase_order_id = absent().purchase_order_id),
                ("active_only", |r| r.active_only = true),
                ("delivery_note", |r| r.delivery_note = "LS 1".into()),
                ("supplier_id", |r| r.supplier_id = "acme".into()),
                ("receive_time_from", |r| r.receive_time_from = at("2026-03-01T00:00:00Z")),
                ("receive_time_before", |r| r.receive_time_before = at("2026-04-01T00:00:00Z")),
            ],
        ),
        listing::<GetBackOrderChainRequest>(
            move |caller| caller.chain(&c),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("purchase_order_id", |r| r.purchase_order_id = absent().purchase_order_id),
            ],
        ),
        listing::<ListPurchaseOrderHistoryRequest>(
            move |caller| caller.history(&e),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("purchase_order_id", |r| r.purchase_order_id = absent().purchase_order_id),
            ],
        ),
        listing::<PreviewCompletionRequest>(
            move |caller| caller.preview(&d),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("purchase_order_id", |r| r.purchase_order_id = absent().purchase_order_id),
                ("etag", |r| r.etag = "4".into()),
                ("lines", |r| r.lines.push(LineDisposition { line_number: 2, ..LineDisposition::default() })),
                ("rest", |r| r.rest = PendingDisposition::BackOrder.into()),
                ("cancel_reason", |r| r.cancel_reason = "late".into()),
                ("cancel_reason_code", |r| r.cancel_reason_code = CancelReason::Late.into()),
                ("expected_date", |r| r.expected_date = "2026-04-01".into()),
            ],
        ),
    ]
}

fn of_a_store() -> Vec<Listing> {
    vec![
        listing::<ListPurchaseOrdersRequest>(
            Caller::list,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("states", |r| r.states.push(PurchaseOrderState::Draft.into())),
                ("supplier_id", |r| r.supplier_id = "acme".into()),
                ("product_id", |r| r.product_id = "apples".into()),
                ("number_prefix", |r| r.number_prefix = "PO-".into()),
                ("supplier_reference", |r| r.supplier_reference = "R-1".into()),
                ("back_orders_only", |r| r.back_orders_only = true),
                ("create_time_from", |r| r.create_time_from = at("2026-03-01T00:00:00Z")),
                ("expected_from", |r| r.expected_from = "2026-03-01".into()),
                ("expected_before", |r| r.expected_before = "2026-03-31".into()),
                ("overdue", |r| r.overdue = true),
                ("order_by", |r| r.order_by = PurchaseOrderSorting::ExpectedDate.into()),
                ("external_id", |r| r.external_id = "erp-1".into()),
                ("create_time_before", |r| r.create_time_before = at("2026-04-01T00:00:00Z")),
            ],
        ),
        listing::<ListOutstandingLinesRequest>(
            Caller::outstanding,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "-".into()),
                ("supplier_id", |r| r.supplier_id = "acme".into()),
                ("product_id", |r| r.product_id = "apples".into()),
                ("due_from", |r| r.due_from = "2026-03-01".into()),
                ("due_before", |r| r.due_before = "2026-03-31".into()),
                ("overdue", |r| r.overdue = true),
                ("back_orders_only", |r| r.back_orders_only = true),
                ("chain_position_from", |r| r.chain_position_from = 1),
                ("chain_position_to", |r| r.chain_position_to = Some(1)),
                ("number", |r| r.number = "PO-000001".into()),
                ("confirmed_shortfall_only", |r| r.confirmed_shortfall_only = true),
            ],
        ),
        listing::<FindReceivableRequest>(
            |caller| caller.find("apples"),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("product_id", |r| r.product_id = "pears".into()),
                ("gtin", |r| (r.product_id, r.gtin) = (String::new(), "4006381333931".into())),
                ("supplier_id", |r| r.supplier_id = "acme".into()),
            ],
        ),
        listing::<ListInventoryLevelsRequest>(
            Caller::list_levels,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("product_ids", |r| r.product_ids.push("apples".into())),
            ],
        ),
        listing::<ListInventoryLotsRequest>(
            Caller::list_lots,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("product_id", |r| r.product_id = "apples".into()),
                ("expires_before", |r| r.expires_before = "2026-05-01".into()),
            ],
        ),
        listing::<ListStockMovementsRequest>(
            |caller| caller.movements("apples"),
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![("store_id", |r| r.store_id = "south".into()), ("product_id", |r| r.product_id = "pears".into())],
        ),
        listing::<GetSupplierPerformanceRequest>(
            Caller::performance,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![
                ("store_id", |r| r.store_id = "south".into()),
                ("supplier_id", |r| r.supplier_id = "acme".into()),
                ("order_date_from", |r| r.order_date_from = "2026-03-02".into()),
                ("order_date_before", |r| r.order_date_before = "2026-04-02".into()),
            ],
        ),
        listing::<ListStoresRequest>(
            Caller::list_stores,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![],
        ),
        listing::<ListGrantsRequest>(
            Caller::list_grants,
            |r, token| (r.page_size, r.page_token) = (1, token),
            |answer| &answer.next_page_token,
            vec![("store_id", |r| r.store_id = "south".into()), ("principal", |r| r.principal = "bob".into())],
        ),
    ]
}

/// A world in which every list has two pages, here and in alice's other store; the lists.
async fn with_two_pages(world: &World) -> Vec<Listing> {
    world.operator().at("south").create_store("alice").ok().await;
    let mut listed = PurchaseOrder::default();
    for caller in [world.alice().at("south"), world.alice()] {
        caller.grant("dora", "receiver").ok().await;
        let twice = caller.order(&[("apples", "2"), ("pears", "2")]).await;
        for n in 0..2 {
            // Of the lots of one product, and of all, more than one expires before May.
            let delivery = caller.receive(&twice).accept(1, "1").lot(&format!("L{n}"), "2026-04-01", "1");
            delivery.accept(2, "1").ok().await;
        }
        caller.complete(&twice).ok().await;
        caller.order(&[("apples", "1")]).await;
        let other = caller.create(&[("bolts", "1")]).with(|request| request.supplier_id = "bolt".to_owned());
        caller.place(&other.ok().await.purchase_order.unwrap()).ok().await;
        listed = caller.received(&[("apples", "2"), ("pears", "3")], &[(1, "1")]).await;
        listed = caller.receive(&listed).accept(2, "1").ok().await.purchase_order.unwrap();
    }
    listings(&listed)
}

/// The token of each list's second page.
async fn tokens(listings: &[Listing], caller: &Caller) -> Vec<String> {
    let mut tokens = Vec::new();
    for listing in listings {
        let (token, _) =
            (listing.ask)(caller, "", None).await.unwrap_or_else(|status| panic!("{}: {status}", listing.path));
        assert_ne!(token, "", "{}: it has a second page", listing.path);
        tokens.push(token);
    }
    tokens
}

#[test]
fn every_list_of_the_contract_is_in_the_table_with_every_field() {
    let listed = listings(&absent());
    let listed: BTreeSet<(&str, BTreeSet<&str>)> =
        listed.iter().map(|list| (list.path, list.fields.iter().copied().collect())).collect();
    let fields = |rpc: &'static Documented| -> BTreeSet<&str> {
        rpc.fields.iter().map(String::as_str).filter(|field| !["page_size", "page_token"].contains(field)).collect()
    };
    let paged = CONTRACT.rpcs.iter().filter(|rpc| rpc.is_paged()).map(|rpc| (&*rpc.path, fields(rpc)));
    assert_eq!(listed, paged.collect());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_leads_on_in_its_own_list_and_nowhere_else(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (listings, alice) = (with_two_pages(&world).await, world.alice());
    let tokens = tokens(&listings, &alice).await;
    for (own, (listing, token)) in listings.iter().zip(&tokens).enumerate() {
        (listing.ask)(&alice, token, None).await.unwrap_or_else(|status| panic!("{}: {status}", listing.path));
        for (index, field) in listing.fields.iter().enumerate() {
            listing.refuses(&alice, token, Some(index), &format!("with another {field}")).await;
        }
        for (_, foreign) in tokens.iter().enumerate().filter(|(other, _)| *other != own) {
            listing.refuses(&alice, foreign, None, "a token of another list").await;
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_any_character_changed_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (listings, alice) = (with_two_pages(&world).await, world.alice());
    for (listing, token) in listings.iter().zip(tokens(&listings, &alice).await) {
        for (index, character) in token.char_indices() {
            // The last character may hold bits that no byte is made of.
            let others = if index + 1 == token.len() { EVERY_CHARACTER } else { "A_" };
            for other in others.chars().filter(|other| *other != character) {
                let mut forged = token.clone();
                forged.replace_range(index..=index, &other.to_string());
                listing.refuses(&alice, &forged, None, &format!("{forged}, changed at {index}")).await;
            }
        }
        for forged in [token[1..].to_owned(), token[..token.len() - 1].to_owned(), format!("{token}=")] {
            listing.refuses(&alice, &forged, None, &forged).await;
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_the_instance_that_gave_it_out(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(mut world) = World::on(on).await else { return };
    let listings = with_two_pages(&world).await;
    let tokens = tokens(&listings, &world.alice()).await;
    let mut here = Vec::new();
    for (listing, token) in listings.iter().zip(&tokens) {
        here.push((listing.ask)(&world.alice(), token, None).await.unwrap());
    }

    let instance = world.another_instance().await;
    let other = instance.caller(&world.alice());
    for ((listing, token), here) in listings.iter().zip(&tokens).zip(&here) {
        let there = (listing.ask)(&other, token, None).await;
        assert_eq!(there.as_ref().ok(), Some(here), "{} elsewhere", listing.path);
    }
    world.restart().await;
    for ((listing, token), here) in listings.iter().zip(&tokens).zip(&here) {
        let later = (listing.ask)(&world.alice(), token, None).await;
        assert_eq!(later.as_ref().ok(), Some(here), "{} after a restart", listing.path);
    }
    world.verify().await;
}
