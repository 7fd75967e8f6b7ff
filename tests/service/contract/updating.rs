//! The story of UpdatePurchaseOrder: a draft is rewritten as often as its buyer likes; what was agreed
//! with a supplier stands.

use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{NewLine, PurchaseOrder, PurchaseOrderState, Unit, UpdatePurchaseOrderRequest};
use rstest::rstest;
use tonic::Code::{
    Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated,
};

use crate::contract::story::{AN_ID, Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, line, line_text};

type Update = UpdatePurchaseOrderRequest;

const FIELDS: [&str; 5] = ["supplier_id", "supplier_reference", "note", "expected_date", "lines"];

/// A buyer changes their mind, before the order is placed and afterwards.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn update_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<Update>::on(on).await else { return };
    each_field_changes_when_it_is_named_and_only_then(&story).await;
    an_empty_value_empties(&story).await;
    a_mask_names_fields_that_there_are(&story).await;
    a_draft_that_was_rewritten_is_ordered_received_and_completed(&story).await;
    updates_of_one_batch_follow_one_another(&story).await;
    a_product_keeps_its_unit_when_its_only_line_goes(&story).await;
    the_first_promise_is_the_one_that_was_placed(&story).await;
    an_update_that_changes_nothing_leaves_no_trace(&story).await;
    what_was_agreed_stands(&story).await;
    what_is_closed_stays_as_it_is(&story).await;
    an_external_id_is_given_in_every_state_and_once(&story).await;
    not_everybody_may(&story).await;
    story.end().await;
}

async fn an_external_id_is_given_in_every_state_and_once(story: &Story<Update>) {
    let alice = story.world.alice();
    let (one, other) = (alice.draft(&[("apples", "1")]).await, alice.draft(&[("apples", "1")]).await);
    let name = |order: &PurchaseOrder, id: &str| {
        alice.update(order, &["external_id"]).with(|request| request.external_id = id.to_owned())
    };
    alice.cancel(&one).ok().await;
    let named = story.ok(name(&one, "erp-1")).await.purchase_order.unwrap();
    assert_eq!((&*named.external_id, named.state()), ("erp-1", PurchaseOrderState::Cancelled));
    let refused = story.refused(name(&other, "erp-1"), AlreadyExists, "EXTERNAL_ID_EXISTS").await;
    assert_eq!(refused.metadata("number"), one.number);
    let both = name(&one, "erp-2").with(|request| request.update_mask.as_mut().unwrap().paths.push("note".to_owned()));
    story.refused(both, FailedPrecondition, "WRONG_STATE").await;
    alice.cancel(&other).ok().await;
}

/// A draft with every field set.
async fn full_draft(buyer: &Caller) -> PurchaseOrder {
    let create = buyer.create(&[("apples", "10"), ("pears", "5")]).with(|request| {
        request.supplier_reference = "R-1".to_owned();
        request.note = "first".to_owned();
        request.expected_date = "2026-03-10".to_owned();
    });
    create.ok().await.purchase_order.unwrap()
}

/// Every field's new value, whichever of them the mask names.
fn with_new_values(call: Call<Update>) -> Call<Update> {
    call.with(|request| {
        request.supplier_id = "orchard".to_owned();
        request.supplier_reference = "R-2".to_owned();
        request.note = "second".to_owned();
        request.expected_date = "2026-03-11".to_owned();
        request.lines = vec![line("plums", "7")];
    })
}

async fn texts(buyer: &Caller, order: &PurchaseOrder) -> Vec<String> {
    buyer.lines(order).await.iter().map(line_text).collect()
}

/// An order's updatable fields, its lines as one text.
async fn fields(buyer: &Caller, order: &PurchaseOrder) -> [String; 5] {
    let PurchaseOrder { supplier_id, supplier_reference, note, expected_date, .. } =
        buyer.seen(&order.purchase_order_id).await;
    [supplier_id, supplier_reference, note, expected_date, texts(buyer, order).await.join("; ")]
}

fn rewrite(buyer: &Caller, order: &PurchaseOrder, lines: &[(&str, &str)]) -> Call<Update> {
    let lines: Vec<NewLine> = lines.iter().map(|(product, quantity)| line(product, quantity)).collect();
    buyer.update(order, &["lines"]).with(|request| request.lines = lines)
}

async fn each_field_changes_when_it_is_named_and_only_then(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = full_draft(&alice).await;
    let lines = "1 apples: 10 ordered, 10 pending; 2 pears: 5 ordered, 5 pending";
    let mut expected = ["acme", "R-1", "first", "2026-03-10", lines].map(str::to_owned);
    assert_eq!(fields(&alice, &draft).await, expected);
    let new = ["orchard", "R-2", "second", "2026-03-11", "1 plums: 7 ordered, 7 pending"];

    for (index, field) in FIELDS.iter().enumerate() {
        let unseen = with_new_values(alice.update(&draft, &[field])).with(|request| request.etag = "9".to_owned());
        let etag = story.refused(unseen, Aborted, "ETAG_MISMATCH").await.metadata("etag");
        assert_eq!(fields(&alice, &draft).await, expected, "a refused call changes nothing");
        let seen = with_new_values(alice.update(&draft, &[field])).with(|request| request.etag = etag.clone());
        let updated = story.ok(seen).await;
        expected[index] = new[index].to_owned();
        assert_eq!(fields(&alice, &draft).await, expected, "{field} alone");
        assert!(updated.event_number > 0 && updated.purchase_order.unwrap().etag != etag, "{field} is a change");
    }

    let other = full_draft(&alice).await;
    let updated = story.ok(with_new_values(alice.update(&other, &FIELDS))).await.purchase_order.unwrap();
    assert_eq!(fields(&alice, &other).await, new, "all of them together");
    assert_eq!(updated.etag, "2", "and that is one change");
}

async fn an_empty_value_empties(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = full_draft(&alice).await;

    let emptied = story.ok(alice.update(&draft, &["supplier_reference", "note", "expected_date"])).await;

    let emptied = emptied.purchase_order.unwrap();
    assert_eq!((&*emptied.supplier_reference, &*emptied.note, &*emptied.expected_date), ("", "", ""));
    assert!(alice.lines(&draft).await.iter().all(|line| line.first_expected_date.is_empty()), "nothing is promised");
    let needed = story.refused(alice.update(&draft, &["supplier_id", "lines"]), InvalidArgument, "INVALID_REQUEST");
    needed.await.names_fields(&["supplier_id", "lines"]);
}

async fn a_mask_names_fields_that_there_are(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = full_draft(&alice).await;
    for path in ["currency", "number", "etag", "lines.quantity", "lines[0]", "Note", " note", "*", ""] {
        let unknown = with_new_values(alice.update(&draft, &["note", path]));
        let refused = story.refused(unknown, InvalidArgument, "INVALID_REQUEST").await;
        refused.names_fields(&["update_mask.paths[1]"]);
    }
    for empty in [alice.update(&draft, &[]), alice.update(&draft, &[]).with(|request| request.update_mask = None)] {
        let refused = story.refused(with_new_values(empty), InvalidArgument, "INVALID_REQUEST").await;
        refused.names_fields(&["update_mask"]);
    }
    let wrong = |request: &mut Update| {
        request.note = "n".repeat(1_001);
        request.lines[0].quantity = Some("1e3".to_owned());
        request.supplier_id.clear();
    };
    let refused = with_new_values(alice.update(&draft, &["note", "lines"])).with(wrong);
    let refused = story.refused(refused, InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["note", "lines[0].quantity"]);
    let reference = with_new_values(alice.update(&draft, &["supplier_reference"])).with(wrong);
    story.ok(reference).await;
    assert_eq!(alice.seen(&draft.purchase_order_id).await.note, "first", "what is not named is not looked at");
}

async fn a_draft_that_was_rewritten_is_ordered_received_and_completed(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = alice.draft(&[("leeks", "10"), ("onions", "5"), ("leeks", "3")]).await;

    let fewer = story.ok(rewrite(&alice, &draft, &[("onions", "6")])).await.purchase_order.unwrap();
    assert_eq!((fewer.line_count, fewer.pending_line_count, &*fewer.totals.unwrap().ordered), (1, 1, "6"));
    let lines = [("peas", "2"), ("onions", "8"), ("leeks", "0"), ("onions", "1"), ("beans", "4")];
    let more = story.ok(rewrite(&alice, &draft, &lines)).await.purchase_order.unwrap();
    assert_eq!((more.line_count, more.pending_line_count, &*more.totals.unwrap().pending), (5, 4, "15"));
    alice.place(&draft).refused(FailedPrecondition, "LINES_WITHOUT_QUANTITY").await;
    let lines = [("peas", "2"), ("onions", "9"), ("leeks", "3")];
    story.ok(rewrite(&alice, &draft, &lines)).await;
    let products = ["peas", "onions", "leeks", "beans"];
    for product in products {
        assert_eq!(alice.stock(product).await, "", "{product}: a draft is no order yet");
    }

    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    let expected = ["1 peas: 2 ordered, 2 pending", "2 onions: 9 ordered, 9 pending", "3 leeks: 3 ordered, 3 pending"];
    assert_eq!(texts(&alice, &order).await, expected);
    assert!(alice.lines(&order).await.iter().all(|line| line.first_ordered == line.ordered));
    alice.receive(&order).accept(4, "4").refused(NotFound, "LINE_NOT_FOUND").await;
    alice.receive(&order).accept(1, "2").accept(2, "4").ok().await;
    let back_order = alice.back_order(&order).await;
    let expected = ["2 onions: 5 ordered, 5 pending", "3 leeks: 3 ordered, 3 pending"];
    assert_eq!(texts(&alice, &back_order).await, expected);
    let expected =
        ["2 on hand", "4 on hand, 5 on order, 5 back-ordered", "3 on order, 3 back-ordered", ""].map(str::to_owned);
    let stock = [alice.stock("peas"), alice.stock("onions"), alice.stock("leeks"), alice.stock("beans")];
    for ((stock, expected), product) in stock.into_iter().zip(expected).zip(products) {
        assert_eq!(stock.await, expected, "{product}");
    }
}

async fn updates_of_one_batch_follow_one_another(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = alice.draft(&[("rye", "10"), ("oats", "5"), ("rye", "3")]).await;
    let fewer = rewrite(&alice, &draft, &[("oats", "6")]);
    let more = rewrite(&alice, &draft, &[("oats", "6"), ("rye", "1"), ("millet", "2"), ("rye", "4")]);
    let other = rewrite(&alice, &draft, &[("oats", "6"), ("millet", "1"), ("millet", "2")]);

    let answers = story.world.as_one_batch(vec![fewer, more, other]).await;

    let etags = answers.into_iter().map(|answer| answer.unwrap().purchase_order.unwrap().etag);
    assert_eq!(etags.collect::<Vec<_>>(), ["2", "3", "4"]);
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    assert_eq!((order.line_count, &*order.totals.clone().unwrap().pending), (3, "9"));
    let expected = ["1 oats: 6 ordered, 6 pending", "2 millet: 1 ordered, 1 pending", "3 millet: 2 ordered, 2 pending"];
    assert_eq!(texts(&alice, &order).await, expected);
    assert_eq!((alice.stock("rye").await, alice.stock("millet").await), (String::new(), "3 on order".to_owned()));
}

async fn a_product_keeps_its_unit_when_its_only_line_goes(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = alice.draft(&[("flour", "10")]).await;
    story.ok(rewrite(&alice, &draft, &[("salt", "1")])).await;
    let in_kilograms = |request: &mut Update| {
        request.lines.iter_mut().for_each(|line| line.unit = Unit::Kilogram.into());
    };

    let conflict = rewrite(&alice, &draft, &[("sugar", "0.5"), ("salt", "1.5"), ("flour", "0.5")]).with(in_kilograms);
    let refused = story.refused(conflict, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["lines[1].unit", "lines[2].unit"]);

    alice.level("sugar").refused(NotFound, "PRODUCT_NOT_FOUND").await;
    story.ok(rewrite(&alice, &draft, &[("sugar", "0.5")]).with(in_kilograms)).await;
    assert_eq!(alice.level("sugar").ok().await.inventory_level.unwrap().unit(), Unit::Kilogram);
    assert_eq!(alice.level("flour").ok().await.inventory_level.unwrap().unit(), Unit::Each);
}

async fn the_first_promise_is_the_one_that_was_placed(story: &Story<Update>) {
    let alice = story.world.alice();
    let create = alice.create(&[("figs", "4"), ("dates", "4")]);
    let create = create.with(|request| request.lines[1].expected_date = "2026-03-20".to_owned());
    let draft = create.ok().await.purchase_order.unwrap();
    let promises = async |order: &PurchaseOrder| -> Vec<(String, String)> {
        let lines = alice.lines(order).await;
        lines.into_iter().map(|line| (line.expected_date, line.first_expected_date)).collect()
    };
    let pairs = |pairs: [(&str, &str); 2]| pairs.map(|(now, first)| (now.to_owned(), first.to_owned()));
    assert_eq!(promises(&draft).await, pairs([("", ""), ("2026-03-20", "2026-03-20")]));

    for date in ["2026-03-11", "2026-03-12"] {
        let dated = alice.update(&draft, &["expected_date"]).with(|request| request.expected_date = date.to_owned());
        let etag = alice.seen(&draft.purchase_order_id).await.etag;
        let updated = story.ok(dated).await.purchase_order.unwrap();
        assert_ne!(updated.etag, etag);
        assert_eq!(promises(&draft).await, pairs([(date, date), ("2026-03-20", "2026-03-20")]));
    }

    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    alice.receive(&order).accept(1, "1").accept(2, "1").ok().await;
    let completion = alice.complete(&order).rest(BackOrder);
    let completed = completion.with(|request| request.expected_date = "2026-04-01".to_owned()).ok().await;
    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    assert_eq!(promises(&child).await, pairs([("2026-04-01", "2026-03-12"), ("2026-04-01", "2026-03-20")]));
}

async fn an_update_that_changes_nothing_leaves_no_trace(story: &Story<Update>) {
    let alice = story.world.alice();
    let draft = full_draft(&alice).await;
    let as_it_is = |fields: &[&str]| {
        alice.update(&draft, fields).with(|request| {
            request.supplier_id = "acme".to_owned();
            request.supplier_reference = "R-1".to_owned();
            request.note = "first".to_owned();
            request.expected_date = "2026-03-10".to_owned();
            request.lines = vec![line("apples", "10.0"), line("pears", "5")];
        })
    };

    for updated in [story.ok(as_it_is(&FIELDS)).await, story.ok(as_it_is(&["note"]).id(AN_ID)).await] {
        assert_eq!((updated.event_number, updated.purchase_order), (0, Some(draft.clone())));
    }
    let replayed = story.ok(as_it_is(&["note"]).id(AN_ID)).await;
    assert_eq!(replayed.event_number, 0, "sent again, it is still nothing");
    story.refused(as_it_is(&["lines"]).id(AN_ID), InvalidArgument, "REQUEST_ID_REUSED").await;
    let note = with_new_values(alice.update(&draft, &["note"])).with(|request| request.etag = draft.etag.clone());
    let changed = story.ok(note).await;
    let cancelled = alice.cancel(&draft).ok().await;
    assert_eq!(cancelled.event_number, changed.event_number + 1, "only a change is an event");
}

async fn what_was_agreed_stands(story: &Story<Update>) {
    let alice = story.world.alice();
    let order = alice.place(&full_draft(&alice).await).ok().await.purchase_order.unwrap();
    for state in ["ON_ORDER", "RECEIVING"] {
        let refused =
            story.refused(with_new_values(alice.update(&order, &FIELDS)), FailedPrecondition, "FIELDS_FIXED").await;
        assert_eq!(refused.metadata("fields"), "supplier_id,expected_date,lines");
        assert_eq!((refused.metadata("state"), refused.metadata("number")), (state.to_owned(), order.number.clone()));
        for field in ["supplier_id", "expected_date", "lines"] {
            let refused = with_new_values(alice.update(&order, &[field, "note"]));
            let refused = story.refused(refused, FailedPrecondition, "FIELDS_FIXED").await;
            assert_eq!(refused.metadata("fields"), field);
        }
        let reworded = alice.update(&order, &["note", "supplier_reference"]).with(|request| {
            request.note = format!("while {state}");
            request.supplier_reference = format!("R-{state}");
        });
        let reworded = story.ok(reworded).await.purchase_order.unwrap();
        assert_eq!((reworded.note, reworded.supplier_reference), (format!("while {state}"), format!("R-{state}")));
        alice.receive(&order).accept(1, "1").ok().await;
    }

    let back_order = alice.back_order(&order).await;
    assert_eq!((&*back_order.supplier_reference, &*back_order.note), ("R-RECEIVING", ""));
    let reworded = story.ok(with_new_values(alice.update(&back_order, &["supplier_reference"]))).await;
    assert_eq!(reworded.purchase_order.unwrap().supplier_reference, "R-2");
    assert_eq!(alice.seen(&order.purchase_order_id).await.supplier_reference, "R-RECEIVING");
    let lines = with_new_values(alice.update(&back_order, &["lines"]));
    let refused = story.refused(lines, FailedPrecondition, "FIELDS_FIXED").await;
    assert_eq!(refused.metadata("number"), back_order.number);
}

async fn what_is_closed_stays_as_it_is(story: &Story<Update>) {
    let alice = story.world.alice();
    let completed = alice.received(&[("limes", "2")], &[(1, "2")]).await;
    alice.complete(&completed).ok().await;
    let cancelled = alice.draft(&[("limes", "2")]).await;
    alice.cancel(&cancelled).ok().await;
    for (order, state) in [(completed, "COMPLETED"), (cancelled, "CANCELLED")] {
        for field in ["note", "lines"] {
            let refused = with_new_values(alice.update(&order, &[field]));
            let refused = story.refused(refused, FailedPrecondition, "WRONG_STATE").await;
            assert_eq!(refused.metadata("state"), state, "{field}");
        }
    }
}

async fn not_everybody_may(story: &Story<Update>) {
    let draft = full_draft(&story.world.alice()).await;
    let update = |caller: Caller| with_new_values(caller.update(&draft, &["note"]));

    let refused = story.refused(update(story.world.bob()), PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "EDIT");
    story.refused(update(story.world.operator()), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(update(story.world.caller("")), Unauthenticated, "NO_CREDENTIALS").await;
    let unknown = with_new_values(story.world.alice().update(&absent(), &["note"]));
    story.refused(unknown, NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.ok(update(story.world.carol())).await;
}
