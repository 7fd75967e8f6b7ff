//! What happens, step by step.

use jiff::{SignedDuration, Timestamp};
use purchase_order_service::proto::v1::{
    BackOrder, CompletePurchaseOrderRequest, CompletePurchaseOrderResponse, CreatePurchaseOrderRequest,
    CreateStoreRequest, EnableBackOrdersRequest, GetBackOrderChainRequest, GetInventoryLevelRequest,
    GetPurchaseOrderRequest, GetPurchaseOrderResponse, GrantRoleRequest, LineDisposition, ListStockMovementsRequest,
    NewLine, NewReceiptItem, PendingDisposition, PlacePurchaseOrderRequest, PreviewCompletionRequest, PurchaseOrder,
    PurchaseOrderView, ReceivePurchaseOrderRequest, RejectReason, Unit,
};
use uuid::Uuid;

use crate::Told;
use crate::cast::{Cast, Person};
use crate::show;
use crate::table::{gap, say, step};

/// Where the store's days begin and end.
pub const TIME_ZONE: &str = "Europe/Amsterdam";
const STORE: &str = "harbour-street";
const CANCEL_REASON: &str = "the season for baskets is over";

/// Product, description, unit, ordered, unit cost.
const PRODUCTS: [(&str, &str, Unit, &str, &str); 5] = [
    ("rice-5kg", "Basmati rice, 5 kg bag", Unit::Each, "40", "6.20"),
    ("oil-1l", "Olive oil, 1 l", Unit::Bottle, "24", "4.75"),
    ("parmesan", "Parmesan", Unit::Kilogram, "12.5", "11.90"),
    ("espresso", "Espresso beans", Unit::Kilogram, "8", "14.30"),
    ("basket", "Gift basket", Unit::Set, "15", "9"),
];

pub async fn open_the_store(cast: &Cast) -> Told<()> {
    step("The operator opens a store, turns its back orders on, and Alice lets Bob receive");
    let create = CreateStoreRequest {
        store_id: STORE.to_owned(),
        request_id: request_id(),
        display_name: "Harbour Street".to_owned(),
        currency: "EUR".to_owned(),
        time_zone: TIME_ZONE.to_owned(),
        owner_principal: cast.alice.name().to_owned(),
    };
    cast.operator.stores().create_store(create).await?;
    let enable = EnableBackOrdersRequest { store_id: STORE.to_owned(), request_id: request_id() };
    let store = cast.operator.stores().enable_back_orders(enable).await?.into_inner().store.unwrap_or_default();
    let back_orders = if store.back_orders_enabled { "on" } else { "off" };
    say(format!("{}: {}, {}, back orders {back_orders}", store.display_name, store.currency, store.time_zone));

    let grant = GrantRoleRequest {
        store_id: STORE.to_owned(),
        request_id: request_id(),
        principal: cast.bob.name().to_owned(),
        role_id: "receiver".to_owned(),
    };
    let grant = cast.alice.access().grant_role(grant).await?.into_inner().grant.unwrap_or_default();
    say(format!("{} holds the role {}", grant.principal, grant.role_id));
    Ok(())
}

pub async fn order(cast: &Cast) -> Told<PurchaseOrder> {
    step("Alice writes an order, and places it with the date on which she phoned it through, nine days ago");
    let create = CreatePurchaseOrderRequest {
        store_id: STORE.to_owned(),
        request_id: request_id(),
        supplier_id: "baker-foods".to_owned(),
        lines: PRODUCTS.iter().map(new_line).collect(),
        ..Default::default()
    };
    let draft = cast.alice.orders().create_purchase_order(create).await?.into_inner();
    let draft = draft.purchase_order.unwrap_or_default();
    show::header(&draft);
    let place = PlacePurchaseOrderRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: draft.purchase_order_id,
        request_id: request_id(),
        etag: draft.etag,
        order_time: Some(days_ago(9)?),
    };
    let placed = cast.alice.orders().place_purchase_order(place).await?.into_inner();
    let order = placed.purchase_order.unwrap_or_default();
    show::header(&order);
    gap();
    show::ordered(&look(&cast.alice, &order.purchase_order_id).await?.lines);
    Ok(order)
}

fn new_line(product: &(&str, &str, Unit, &str, &str)) -> NewLine {
    let (product_id, description, unit, quantity, unit_cost) = *product;
    NewLine {
        product_id: product_id.to_owned(),
        description: description.to_owned(),
        unit: unit.into(),
        quantity: Some(quantity.to_owned()),
        unit_cost: Some(unit_cost.to_owned()),
        ..Default::default()
    }
}

pub async fn receive_in_part(cast: &Cast, order: &PurchaseOrder) -> Told<()> {
    step("Bob books in what came two days ago: one line whole, two in part, two not at all");
    let item = |line_number, accepted: &str| NewReceiptItem {
        line_number,
        accepted: Some(accepted.to_owned()),
        ..Default::default()
    };
    let rejected = Some("2.5".to_owned());
    let parmesan = NewReceiptItem {
        rejected,
        reject_reason: RejectReason::Damaged.into(),
        reject_note: "the seal is broken".to_owned(),
        ..item(3, "10")
    };
    let receive = ReceivePurchaseOrderRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: order.purchase_order_id.clone(),
        request_id: request_id(),
        items: vec![item(1, "40"), item(2, "18"), parmesan],
        receive_time: Some(days_ago(2)?),
        delivery_note: "BF-20817".to_owned(),
        ..Default::default()
    };
    let received = cast.bob.orders().receive_purchase_order(receive).await?.into_inner();
    let receipt = received.receipt.unwrap_or_default();
    let (number, note) = (receipt.receipt_number, receipt.delivery_note);
    say(format!("Receipt {number}, delivery note {note}, arrived {}", show::day(receipt.receive_time.as_ref())));
    for item in receipt.items.iter().filter(|item| !item.reject_note.is_empty()) {
        say(format!("Line {}: {} rejected, {}", item.line_number, item.rejected, item.reject_note));
    }
    gap();
    let now = look(&cast.bob, &order.purchase_order_id).await?;
    show::lines(&now.lines);
    gap();
    show::header(&now.purchase_order.unwrap_or_default());
    Ok(())
}

pub async fn bob_tries_to_complete(cast: &Cast, order: &PurchaseOrder) -> Told<()> {
    step("Only some may complete: Bob is not offered it, and refused when he calls all the same");
    for person in [&cast.bob, &cast.alice] {
        let seen = look(person, &order.purchase_order_id).await?.purchase_order.unwrap_or_default();
        show::buttons(person.name(), &seen);
    }
    match cast.bob.orders().complete_purchase_order(choices(order, "")).await {
        Ok(_) => return Err("Bob completed the order".into()),
        Err(status) => show::refusal(&status),
    }
    Ok(())
}

pub async fn look_before_choosing(cast: &Cast, order: &PurchaseOrder) -> Told<()> {
    step("Alice presses Complete, and is shown what is pending before anything happens");
    let ask = PreviewCompletionRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: order.purchase_order_id.clone(),
        ..Default::default()
    };
    show::preview(&cast.alice.orders().preview_completion(ask).await?.into_inner());
    Ok(())
}

/// What Alice chooses: the baskets and a part of the espresso are given up, the rest is back-ordered.
fn choices(order: &PurchaseOrder, etag: &str) -> CompletePurchaseOrderRequest {
    let quantity = |text: &str| Some(text.to_owned());
    CompletePurchaseOrderRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: order.purchase_order_id.clone(),
        request_id: request_id(),
        etag: etag.to_owned(),
        lines: vec![
            LineDisposition {
                line_number: 4,
                back_order: quantity("6"),
                cancel: quantity("2"),
                ..LineDisposition::default()
            },
            LineDisposition { line_number: 5, cancel: quantity("15"), ..LineDisposition::default() },
        ],
        rest: PendingDisposition::BackOrder.into(),
        cancel_reason: CANCEL_REASON.to_owned(),
        ..CompletePurchaseOrderRequest::default()
    }
}

pub async fn choose_and_complete(cast: &Cast, order: &PurchaseOrder) -> Told<BackOrder> {
    step("She chooses: the baskets and some espresso are given up, everything else goes to a back order");
    let CompletePurchaseOrderRequest { store_id, purchase_order_id, lines, rest, cancel_reason, .. } =
        choices(order, "");
    let ask =
        PreviewCompletionRequest { store_id, purchase_order_id, lines, rest, cancel_reason, ..Default::default() };
    let preview = cast.alice.orders().preview_completion(ask).await?.into_inner();
    show::preview(&preview);

    step("She completes; her app loses the answer and sends the same request again");
    let etag = preview.purchase_order.unwrap_or_default().etag;
    let complete = choices(order, &etag);
    let done = cast.alice.orders().complete_purchase_order(complete.clone()).await?.into_inner();
    let again = cast.alice.orders().complete_purchase_order(complete).await?.into_inner();
    if done != again {
        return Err("the second answer differs from the first".into());
    }
    tell_completion(cast, &done).await?;
    say("The second answer was the same as the first: nothing was done twice.");
    let back_order = done.back_order.ok_or("no back order was made")?;

    step("The back order that this made is on order already");
    let child = look(&cast.alice, &back_order.purchase_order_id).await?;
    show::lines(&child.lines);
    gap();
    let header = child.purchase_order.unwrap_or_default();
    show::header(&header);
    say(format!("Ordered first on {}", show::day(header.original_order_time.as_ref())));
    Ok(back_order)
}

async fn tell_completion(cast: &Cast, done: &CompletePurchaseOrderResponse) -> Told<()> {
    let order = done.purchase_order.clone().unwrap_or_default();
    show::lines(&look(&cast.alice, &order.purchase_order_id).await?.lines);
    gap();
    show::header(&order);
    match &done.back_order {
        Some(back_order) => say(format!("Back order: {}, {} lines", back_order.number, back_order.line_count)),
        None => say("Back order: none, everything came"),
    }
    Ok(())
}

pub async fn second_delivery(cast: &Cast, back_order: &BackOrder) -> Told<()> {
    step("Today the rest comes, and Bob books in everything that is pending");
    let receive = ReceivePurchaseOrderRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: back_order.purchase_order_id.clone(),
        request_id: request_id(),
        all_pending: true,
        ..Default::default()
    };
    let received = cast.bob.orders().receive_purchase_order(receive).await?.into_inner();
    show::lines(&received.lines);
    gap();
    show::header(&received.purchase_order.unwrap_or_default());
    Ok(())
}

pub async fn complete_the_back_order(cast: &Cast, back_order: &BackOrder) -> Told<()> {
    step("Alice completes the back order: it came whole, there is nothing to choose");
    let complete = CompletePurchaseOrderRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: back_order.purchase_order_id.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    let done = cast.alice.orders().complete_purchase_order(complete).await?.into_inner();
    tell_completion(cast, &done).await
}

pub async fn stock(cast: &Cast, title: &str) -> Told<()> {
    step(title);
    let mut levels = Vec::new();
    for (product_id, description, ..) in PRODUCTS {
        let ask = GetInventoryLevelRequest { store_id: STORE.to_owned(), product_id: product_id.to_owned() };
        let level = cast.bob.inventory().get_inventory_level(ask).await?.into_inner().inventory_level;
        levels.push((description, level.unwrap_or_default()));
    }
    show::levels(&levels);
    Ok(())
}

pub async fn ledger(cast: &Cast) -> Told<()> {
    let (product_id, description, ..) = PRODUCTS[1];
    step(&format!("How the stock came about: the ledger of {description}"));
    let ask = ListStockMovementsRequest {
        store_id: STORE.to_owned(),
        product_id: product_id.to_owned(),
        ..Default::default()
    };
    let movements = cast.alice.inventory().list_stock_movements(ask).await?.into_inner().stock_movements;
    let mut numbers = Vec::new();
    for movement in &movements {
        let order = look(&cast.alice, &movement.purchase_order_id).await?.purchase_order.unwrap_or_default();
        numbers.push((order.purchase_order_id, order.number));
    }
    show::movements(&movements, |id| {
        numbers.iter().find(|(known, _)| known == id).map_or_else(String::new, |(_, number)| number.clone())
    });
    Ok(())
}

pub async fn roll_up(cast: &Cast, back_order: &BackOrder) -> Told<()> {
    step("What became of each line of the original order, over all that followed");
    let ask = GetBackOrderChainRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: back_order.purchase_order_id.clone(),
        ..Default::default()
    };
    let chain = cast.alice.orders().get_back_order_chain(ask).await?.into_inner();
    show::chain(&chain.lines);
    gap();
    for order in &chain.purchase_orders {
        show::header(order);
    }
    Ok(())
}

async fn look(person: &Person, purchase_order_id: &str) -> Told<GetPurchaseOrderResponse> {
    let ask = GetPurchaseOrderRequest {
        store_id: STORE.to_owned(),
        purchase_order_id: purchase_order_id.to_owned(),
        view: PurchaseOrderView::Full.into(),
        external_id: String::new(),
    };
    Ok(person.orders().get_purchase_order(ask).await?.into_inner())
}

/// One per intention; a retry sends it again.
fn request_id() -> String {
    Uuid::now_v7().to_string()
}

fn days_ago(days: i64) -> Told<prost_types::Timestamp> {
    let then = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * days))?;
    Ok(prost_types::Timestamp { seconds: then.as_second(), nanos: 0 })
}
