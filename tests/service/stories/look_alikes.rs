//! Two codes that look the same are the same: what a reader cannot tell apart is refused, or stored in one form. Notes
//! are for people, and may have lines, tabs and the marks that right-to-left text is written with.

use purchase_order_service::proto::v1::{GetPurchaseOrderRequest, PurchaseOrder, RejectReason};
use rstest::rstest;
use tonic::Code::{AlreadyExists, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Refused, World, unlisted_item};

/// Each looks like `rice` or `ri ce`, and is neither.
const LOOK_ALIKES: [(&str, &str); 13] = [
    ("a space at the end", "rice "),
    ("a space at the beginning", " rice"),
    ("two spaces", "ri  ce"),
    ("a no-break space", "ri\u{a0}ce"),
    ("a figure space", "ri\u{2007}ce"),
    ("a narrow no-break space", "ri\u{202f}ce"),
    ("an ideographic space", "rice\u{3000}"),
    ("a zero-width space", "ri\u{200b}ce"),
    ("a byte order mark", "\u{feff}rice"),
    ("a soft hyphen", "ri\u{ad}ce"),
    ("a line feed", "rice\n"),
    ("a tab", "ri\tce"),
    ("a left-to-right mark", "rice\u{200e}"),
];

/// The accented letter as one character, and as two.
const COMPOSED: &str = "cr\u{e8}me";
const DECOMPOSED: &str = "cre\u{300}me";

async fn allow_unlisted_items(alice: &Caller) {
    let update = alice.update_store(&["allow_unlisted_items"]);
    update.with(|request| request.allow_unlisted_items = true).ok().await;
}

fn by_own(caller: &Caller, external_id: &str) -> Call<GetPurchaseOrderRequest> {
    caller.get("").with(|request| request.external_id = external_id.to_owned())
}

/// What is said where each field that takes a code is given this one, with the field's path.
async fn given_everywhere(alice: &Caller, order: &PurchaseOrder, code: &str) -> Vec<(&'static str, Refused)> {
    let code = || code.to_owned();
    let product = alice.create(&[("rice", "1")]).with(|request| request.lines[0].product_id = code());
    let supplier = alice.create(&[("rice", "1")]).with(|request| request.supplier_id = code());
    let external = alice.create(&[("rice", "1")]).with(|request| request.external_id = code());
    let changed = alice.update(order, &["external_id"]).with(|request| request.external_id = code());
    let mut unlisted = unlisted_item("tea", "1");
    unlisted.unlisted.as_mut().unwrap().product_id = code();
    let unlisted = alice.receive(order).with(|request| request.items.push(unlisted));
    let received = alice.receive(order).accept_product(&code(), "1");
    let delivered = alice.deliver().accept_line(order, 1, "1").with(|request| request.supplier_id = code());
    let listed = alice.list().with(|request| request.product_id = code());
    let receipts = alice.list_all_receipts().with(|request| request.supplier_id = code());
    let reason = "INVALID_REQUEST";
    vec![
        ("lines[0].product_id", product.refused(InvalidArgument, reason).await),
        ("supplier_id", supplier.refused(InvalidArgument, reason).await),
        ("external_id", external.refused(InvalidArgument, reason).await),
        ("external_id", changed.refused(InvalidArgument, reason).await),
        ("items[0].unlisted.product_id", unlisted.refused(InvalidArgument, reason).await),
        ("items[0].product_id", received.refused(InvalidArgument, reason).await),
        ("supplier_id", delivered.refused(InvalidArgument, reason).await),
        ("product_id", listed.refused(InvalidArgument, reason).await),
        ("supplier_id", receipts.refused(InvalidArgument, reason).await),
        ("product_id", alice.find(&code()).refused(InvalidArgument, reason).await),
        ("external_id", by_own(alice, &code()).refused(InvalidArgument, reason).await),
        ("product_id", alice.level(&code()).refused(InvalidArgument, reason).await),
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_only_looks_like_another_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    allow_unlisted_items(&alice).await;
    let order = alice.order(&[("rice", "10")]).await;
    for (what, code) in LOOK_ALIKES {
        for (field, refused) in given_everywhere(&alice, &order, code).await {
            println!("{what}: {}", refused.message());
            refused.names_fields(&[field]);
        }
    }
    let levels = alice.list_levels().ok().await.inventory_levels;
    assert_eq!(levels.len(), 1, "there is rice, and nothing that looks like it");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_with_its_accent_apart_is_the_same_letter(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    allow_unlisted_items(&alice).await;
    let create = alice.create(&[(DECOMPOSED, "10")]).with(|request| {
        request.supplier_id = DECOMPOSED.to_owned();
        request.external_id = DECOMPOSED.to_owned();
    });
    let draft = create.ok().await.purchase_order.unwrap();
    assert_eq!((&*draft.supplier_id, &*draft.external_id), (COMPOSED, COMPOSED));
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    let again = alice.create(&[("rice", "1")]).with(|request| request.external_id = COMPOSED.to_owned());
    again.refused(AlreadyExists, "EXTERNAL_ID_EXISTS").await;

    for form in [COMPOSED, DECOMPOSED] {
        let received = alice.receive(&order).accept_product(form, "1").ok().await;
        assert_eq!((received.lines[0].line_number, &*received.lines[0].product_id), (1, COMPOSED), "{form:?}");
        let unlisted = alice.receive(&order).with(|request| request.items.push(unlisted_item(form, "1")));
        let refused = unlisted.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
        refused.names_fields(&["items[0].unlisted.product_id"]);
        let of_both = alice.list().with(|r| (r.product_id, r.supplier_id) = (form.to_owned(), form.to_owned()));
        assert_eq!(of_both.ok().await.purchase_orders.len(), 1, "{form:?}");
        assert_eq!(alice.find(form).ok().await.lines.len(), 1, "{form:?}");
        let found = by_own(&alice, form).ok().await.purchase_order.unwrap();
        assert_eq!(found.purchase_order_id, order.purchase_order_id, "{form:?}");
    }
    let unlisted = |code: &str| alice.receive(&order).with(|request| request.items.push(unlisted_item(code, "1")));
    let first = unlisted("cafe\u{301}").ok().await;
    let more = unlisted("caf\u{e9}").ok().await;
    assert_eq!((first.lines[0].line_number, more.lines[0].line_number), (2, 2), "one line for either form");
    assert_eq!(alice.list_levels().ok().await.inventory_levels.len(), 2);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_note_has_lines_tabs_and_direction_marks(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let note = "two lines\n\tand a tab, \u{200e}left\u{200f} and right";
    let create = alice.create(&[("rice", "10")]).with(|request| {
        request.note = note.to_owned();
        request.lines[0].note = note.to_owned();
    });
    let draft = create.ok().await.purchase_order.unwrap();
    assert_eq!((&*draft.note, &*alice.lines(&draft).await[0].note), (note, note));
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    let receive = alice.receive(&order).accept(1, "1").with(|request| {
        request.note = note.to_owned();
        request.items[0].rejected = Some("1".to_owned());
        request.items[0].reject_reason = RejectReason::Other.into();
        request.items[0].reject_note = note.to_owned();
    });
    let receipt = receive.ok().await.receipt.unwrap();
    assert_eq!((&*receipt.note, &*receipt.items[0].reject_note), (note, note));
    let voided = alice.void(&order, 1).with(|request| request.reason = note.to_owned()).ok().await.receipt.unwrap();
    assert_eq!(voided.void_reason, note);

    // What hides or reorders text has no place in a note either.
    for hidden in ["\u{200b}", "\u{feff}", "\u{202e}", "\r"] {
        let update = alice.update(&order, &["note"]).with(|request| request.note = format!("a{hidden}b"));
        update.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["note"]);
    }
    // A text of one line has direction marks too, and no line feeds or tabs.
    let referring = |reference: &str| {
        let update = alice.update(&order, &["supplier_reference"]);
        update.with(|request| request.supplier_reference = reference.to_owned())
    };
    for broken in ["a\nb", "a\tb", "a\u{2028}b"] {
        let refused = referring(broken).refused(InvalidArgument, "INVALID_REQUEST").await;
        refused.names_fields(&["supplier_reference"]);
    }
    let marked = referring("\u{200f}REF\u{200e}").ok().await.purchase_order.unwrap();
    assert_eq!(marked.supplier_reference, "\u{200f}REF\u{200e}");
    world.verify().await;
}
