//! The table: every mutation of the contract.

use purchase_order_service::proto::v1::AdjustmentKind::{Count, CustomerReturn, Loss, Sale};
use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::Permission::{Edit, Receive, View};
use purchase_order_service::proto::v1::Unit;
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

use crate::replays::contract::assert_covers;
use crate::replays::row::Again::{ChangesNothing, Happens, Refused};
use crate::replays::row::{Obstacle, Parts, Row, row};
use crate::replays::stage::Stage;
use crate::support::{at, line};

/// Who calls what a role in the store allows: an owner beside alice, whose role can be taken away.
pub const DORA: &str = "dora";
/// Who calls what only a platform operator may.
pub const OPERATOR: &str = "operator";

const LINES: [(&str, &str); 2] = [("apples", "10"), ("pears", "5")];

/// Every mutation. Each is called in a store of its own, where there is nothing but what its row made.
pub fn table() -> Vec<Box<dyn Row>> {
    vec![
        create(),
        update(),
        copy(),
        place(),
        receive(),
        deliver(),
        void(),
        correct(),
        amend(),
        confirm(),
        cancel_lines(),
        complete(),
        cancel(),
        reopen(),
        adjust(),
        create_store(),
        update_store(),
        enable_back_orders(),
        disable_back_orders(),
        create_role(),
        update_role(),
        delete_role(),
        grant(),
        revoke(),
    ]
}

#[test]
fn every_mutation_of_the_contract_is_in_the_table() {
    assert_covers(table().iter().map(|row| row.path()), "request_id");
}

fn create() -> Box<dyn Row> {
    let create = row(
        DORA,
        async |s: Stage| s.me.create(&LINES),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        Happens,
    );
    let create = create.other(|request| request.note.push('x'));
    Box::new(create.meanwhile(async |s, _| {
        s.alice.place(&s.only_order().await).ok().await;
    }))
}

fn update() -> Box<dyn Row> {
    let update = row(
        DORA,
        async |s: Stage| s.me.update(&s.me.draft(&LINES).await, &["note"]).with(|r| r.note = "by the gate".to_owned()),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        ChangesNothing,
    );
    let update = update.other(|request| request.note.push('x'));
    Box::new(update.meanwhile(async |s, _| {
        s.alice.place(&s.only_order().await).ok().await;
    }))
}

fn copy() -> Box<dyn Row> {
    let copy = row(
        DORA,
        async |s: Stage| s.me.copy(&s.me.draft(&LINES).await),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        Happens,
    );
    let copy = copy.other(|request| request.cancelled_only = true);
    let copy = copy.meanwhile(async |s, _| {
        let drafts = s.alice.list().ok().await.purchase_orders;
        s.alice.cancel(&drafts[0]).ok().await;
    });
    Box::new(copy.blocked(async |s| {
        let draft = s.me.draft(&[("apples", "0")]).await;
        let call = s.me.copy(&draft);
        Obstacle::new(call, FailedPrecondition, "NOTHING_TO_COPY", async move {
            s.alice.update(&draft, &["lines"]).with(|request| request.lines.push(line("apples", "1"))).ok().await;
        })
    }))
}

fn place() -> Box<dyn Row> {
    let place = row(
        DORA,
        async |s: Stage| s.me.place(&s.me.draft(&LINES).await),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        Refused("WRONG_STATE"),
    );
    let place = place.other(|request| request.order_time = at("2026-03-01T09:00:00Z"));
    let place = place.meanwhile(async |s, _| {
        s.alice.receive(&s.only_order().await).all_pending().ok().await;
    });
    Box::new(place.blocked(async |s| {
        let draft = s.me.draft(&[("apples", "0")]).await;
        let call = s.me.place(&draft);
        Obstacle::new(call, FailedPrecondition, "LINES_WITHOUT_QUANTITY", async move {
            s.alice.update(&draft, &["lines"]).with(|request| request.lines.push(line("apples", "1"))).ok().await;
        })
    }))
}

fn receive() -> Box<dyn Row> {
    let receive = row(
        DORA,
        async |s: Stage| s.me.receive(&s.me.order(&LINES).await).accept(1, "4"),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order).lines(&mut a.lines),
        Happens,
    );
    let receive = receive.other(|request| request.items[0].accepted = Some("5".to_owned()));
    let receive = receive.meanwhile(async |s, _| {
        s.alice.void(&s.only_order().await, 1).ok().await;
    });
    Box::new(receive.blocked(async |s| {
        let draft = s.me.draft(&LINES).await;
        let call = s.me.receive(&draft).all_pending();
        Obstacle::new(call, FailedPrecondition, "WRONG_STATE", async move {
            s.alice.place(&draft).ok().await;
        })
    }))
}

fn deliver() -> Box<dyn Row> {
    let deliver = row(
        DORA,
        async |s: Stage| {
            s.me.order(&LINES).await;
            s.me.deliver().accept_product("apples", "4")
        },
        |a| {
            let of_order = &mut a.orders[0];
            Parts::event(of_order.event_number).order(&mut of_order.purchase_order).lines(&mut of_order.lines)
        },
        Happens,
    );
    let deliver = deliver.other(|request| request.items[0].accepted = Some("5".to_owned()));
    let deliver = deliver.meanwhile(async |s, _| {
        s.alice.void(&s.only_order().await, 1).ok().await;
    });
    Box::new(deliver.blocked(async |s| {
        let draft = s.me.draft(&LINES).await;
        let call = s.me.deliver().accept_product("apples", "4");
        Obstacle::new(call, NotFound, "PRODUCT_NOT_RECEIVABLE", async move {
            s.alice.place(&draft).ok().await;
        })
    }))
}

fn void() -> Box<dyn Row> {
    let void = row(
        DORA,
        async |s: Stage| s.me.void(&s.me.received(&LINES, &[(1, "4")]).await, 1),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order).lines(&mut a.lines),
        Refused("WRONG_STATE"),
    );
    let void = void.other(|request| request.reason.push('!'));
    let void = void.meanwhile(async |s, _| {
        s.alice.receive(&s.only_order().await).accept(1, "3").ok().await;
    });
    Box::new(void.blocked(async |s| {
        let order = s.me.received(&LINES, &[(1, "4")]).await;
        let call = s.me.void(&order, 2);
        Obstacle::new(call, NotFound, "RECEIPT_NOT_FOUND", async move {
            s.alice.receive(&order).accept(1, "1").ok().await;
        })
    }))
}

fn correct() -> Box<dyn Row> {
    let correct = row(
        DORA,
        async |s: Stage| s.me.correct(&s.me.received(&LINES, &[(1, "4")]).await, 1).accept(1, "3"),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order).lines(&mut a.lines),
        Refused("RECEIPT_VOIDED"),
    );
    let correct = correct.other(|request| request.items[0].accepted = Some("2".to_owned()));
    let correct = correct.meanwhile(async |s, _| {
        s.alice.void(&s.only_order().await, 2).ok().await;
    });
    Box::new(correct.blocked(async |s| {
        let order = s.me.received(&LINES, &[(1, "4")]).await;
        let call = s.me.correct(&order, 2).accept(1, "1");
        Obstacle::new(call, NotFound, "RECEIPT_NOT_FOUND", async move {
            s.alice.receive(&order).accept(1, "1").ok().await;
        })
    }))
}

fn amend() -> Box<dyn Row> {
    let amend = row(
        DORA,
        async |s: Stage| s.me.amend(&s.me.order(&LINES).await, &[(1, "12")]),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order).lines(&mut a.lines),
        ChangesNothing,
    );
    let amend = amend.other(|request| request.lines[0].quantity = Some("13".to_owned()));
    let amend = amend.meanwhile(async |s, _| {
        s.alice.receive(&s.only_order().await).accept(1, "1").ok().await;
    });
    Box::new(amend.blocked(async |s| {
        let order = s.me.order(&LINES).await;
        s.alice.receive(&order).accept(1, "4").ok().await;
        let call = s.me.amend(&order, &[(1, "3")]);
        Obstacle::new(call, InvalidArgument, "INVALID_FOR_STORED_DATA", async move {
            s.alice.void(&order, 1).ok().await;
        })
    }))
}

fn confirm() -> Box<dyn Row> {
    let confirm = row(
        DORA,
        async |s: Stage| s.me.confirm(&s.me.order(&LINES).await, &[(1, "8")]),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order).lines(&mut a.lines),
        ChangesNothing,
    );
    let confirm = confirm.other(|request| request.lines[0].quantity = Some("7".to_owned()));
    let confirm = confirm.meanwhile(async |s, _| {
        s.alice.receive(&s.only_order().await).accept(1, "1").ok().await;
    });
    Box::new(confirm.blocked(async |s| {
        let draft = s.me.draft(&LINES).await;
        let call = s.me.confirm(&draft, &[(1, "8")]);
        Obstacle::new(call, FailedPrecondition, "WRONG_STATE", async move {
            s.alice.place(&draft).ok().await;
        })
    }))
}

fn cancel_lines() -> Box<dyn Row> {
    let cancel = row(
        DORA,
        async |s: Stage| s.me.cancel_lines(&s.me.order(&LINES).await, &[(1, "2")]),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order).lines(&mut a.lines),
        Happens,
    );
    let cancel = cancel.other(|request| request.lines[0].quantity = Some("1".to_owned()));
    let cancel = cancel.meanwhile(async |s, _| {
        s.alice.receive(&s.only_order().await).accept(1, "1").ok().await;
    });
    Box::new(cancel.blocked(async |s| {
        let draft = s.me.draft(&LINES).await;
        let call = s.me.cancel_lines(&draft, &[(1, "2")]);
        Obstacle::new(call, FailedPrecondition, "WRONG_STATE", async move {
            s.alice.place(&draft).ok().await;
        })
    }))
}

fn complete() -> Box<dyn Row> {
    let complete = row(
        DORA,
        async |s: Stage| s.me.complete(&s.me.received(&LINES, &[(1, "4")]).await).rest(BackOrder),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        Refused("WRONG_STATE"),
    );
    let complete = complete.other(|request| request.rest = Cancel.into());
    let complete = complete.meanwhile(async |s, request| {
        let completed = s.alice.seen(&request.purchase_order_id).await;
        let child = s.alice.seen(&completed.back_order_purchase_order_id).await;
        s.alice.cancel(&child).ok().await;
    });
    Box::new(complete.blocked(async |s| {
        let order = s.me.order(&LINES).await;
        let call = s.me.complete(&order).rest(BackOrder);
        Obstacle::new(call, FailedPrecondition, "NOTHING_RECEIVED", async move {
            s.alice.receive(&order).accept(1, "1").ok().await;
        })
    }))
}

fn cancel() -> Box<dyn Row> {
    let cancel = row(
        DORA,
        async |s: Stage| s.me.cancel(&s.me.order(&LINES).await),
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        Refused("WRONG_STATE"),
    );
    let cancel = cancel.other(|request| request.reason.push('!'));
    let cancel = cancel.meanwhile(async |s, _| {
        s.alice.order(&LINES).await;
    });
    Box::new(cancel.blocked(async |s| {
        let order = s.me.received(&LINES, &[(1, "4")]).await;
        let call = s.me.cancel(&order);
        Obstacle::new(call, FailedPrecondition, "ACCEPTED_STAGED", async move {
            s.alice.void(&order, 1).ok().await;
        })
    }))
}

fn reopen() -> Box<dyn Row> {
    let reopen = row(
        DORA,
        async |s: Stage| {
            let order = s.me.received(&LINES, &[(1, "4")]).await;
            s.me.complete(&order).rest(BackOrder).ok().await;
            s.me.reopen(&order)
        },
        |a| Parts::event(a.event_number).order(&mut a.purchase_order),
        Refused("WRONG_STATE"),
    );
    let reopen = reopen.other(|request| request.reason.push('!'));
    let reopen = reopen.meanwhile(async |s, request| {
        let order = s.alice.seen(&request.purchase_order_id).await;
        s.alice.receive(&order).accept(1, "1").ok().await;
    });
    Box::new(reopen.blocked(async |s| {
        let order = s.me.received(&LINES, &[(1, "4")]).await;
        let call = s.me.reopen(&order);
        Obstacle::new(call, FailedPrecondition, "WRONG_STATE", async move {
            s.alice.complete(&order).rest(BackOrder).ok().await;
        })
    }))
}

fn create_store() -> Box<dyn Row> {
    let create = row(
        OPERATOR,
        async |s: Stage| s.elsewhere.create_store("alice"),
        |a| Parts::event(a.event_number).store(&mut a.store),
        Refused("STORE_EXISTS"),
    );
    let create = create.other(|request| request.currency = "USD".to_owned());
    let create = create.meanwhile(async |s, _| {
        s.elsewhere.update_store(&["display_name"]).with(|r| r.display_name = "Renamed".to_owned()).ok().await;
    });
    Box::new(create.never_blocked("a store is never deleted, and nobody becomes an operator while the service runs"))
}

fn update_store() -> Box<dyn Row> {
    let update = row(
        DORA,
        async |s: Stage| s.me.update_store(&["display_name"]).with(|r| r.display_name = "Renamed".to_owned()),
        |a| Parts::event(a.event_number).store(&mut a.store),
        ChangesNothing,
    );
    let update = update.other(|request| request.display_name.push('x'));
    Box::new(update.meanwhile(async |s, _| {
        s.alice.update_store(&["display_name"]).with(|r| r.display_name = "Again".to_owned()).ok().await;
    }))
}

fn adjust() -> Box<dyn Row> {
    let adjust = row(
        DORA,
        async |s: Stage| {
            s.alice.adjust("apples", Count, "10").counted_in(Unit::Each).ok().await;
            s.me.adjust("apples", Sale, "2")
        },
        |a| Parts::event(a.event_number).level(&mut a.inventory_level),
        Happens,
    );
    let adjust = adjust.other(|request| request.quantity = Some("3".to_owned()));
    let adjust = adjust.meanwhile(async |s, _| {
        s.alice.adjust("apples", Loss, "1").ok().await;
    });
    Box::new(adjust.blocked(async |s| {
        s.alice.draft(&LINES).await;
        Obstacle::new(s.me.adjust("apples", Sale, "2"), FailedPrecondition, "INSUFFICIENT_STOCK", async move {
            s.alice.adjust("apples", CustomerReturn, "2").ok().await;
        })
    }))
}

fn enable_back_orders() -> Box<dyn Row> {
    let enable = row(
        OPERATOR,
        async |s: Stage| {
            s.operator.disable_back_orders().ok().await;
            s.me.enable_back_orders()
        },
        |a| Parts::event(a.event_number).store(&mut a.store),
        ChangesNothing,
    );
    let enable = enable.meanwhile(async |s, _| {
        s.operator.disable_back_orders().ok().await;
    });
    Box::new(enable.blocked(async |s| {
        s.operator.disable_back_orders().ok().await;
        let draft = s.alice.draft(&LINES).await;
        Obstacle::new(s.me.enable_back_orders(), FailedPrecondition, "OPEN_PURCHASE_ORDERS", async move {
            s.alice.cancel(&draft).ok().await;
        })
    }))
}

fn disable_back_orders() -> Box<dyn Row> {
    let disable = row(
        OPERATOR,
        async |s: Stage| s.me.disable_back_orders(),
        |a| Parts::event(a.event_number).store(&mut a.store),
        ChangesNothing,
    );
    let disable = disable.meanwhile(async |s, _| {
        s.operator.enable_back_orders().ok().await;
    });
    Box::new(disable.blocked(async |s| {
        Obstacle::new(s.elsewhere.disable_back_orders(), NotFound, "STORE_NOT_FOUND", async move {
            s.elsewhere.create_store("alice").ok().await;
            s.elsewhere.enable_back_orders().ok().await;
        })
    }))
}

fn create_role() -> Box<dyn Row> {
    let create = row(
        DORA,
        async |s: Stage| s.me.create_role("picker", &[View]),
        |a| Parts::event(a.event_number),
        Refused("ROLE_EXISTS"),
    );
    let create = create.other(|request| request.permissions.push(Edit.into()));
    let create = create.meanwhile(async |s, _| {
        s.alice.update_role("picker", &[Edit]).ok().await;
    });
    Box::new(create.blocked(async |s| {
        s.alice.create_role("picker", &[View]).ok().await;
        Obstacle::new(s.me.create_role("picker", &[View]), AlreadyExists, "ROLE_EXISTS", async move {
            s.alice.delete_role("picker").ok().await;
        })
    }))
}

fn update_role() -> Box<dyn Row> {
    let update = row(
        DORA,
        async |s: Stage| {
            s.me.create_role("picker", &[View]).ok().await;
            s.me.update_role("picker", &[View, Receive])
        },
        |a| Parts::event(a.event_number),
        ChangesNothing,
    );
    let update = update.other(|request| request.permissions.push(Edit.into()));
    let update = update.meanwhile(async |s, _| {
        s.alice.update_role("picker", &[Edit]).ok().await;
    });
    Box::new(update.blocked(async |s| {
        Obstacle::new(s.me.update_role("picker", &[Receive]), NotFound, "ROLE_NOT_FOUND", async move {
            s.alice.create_role("picker", &[View]).ok().await;
        })
    }))
}

fn delete_role() -> Box<dyn Row> {
    let delete = row(
        DORA,
        async |s: Stage| {
            s.me.create_role("picker", &[View]).ok().await;
            s.me.delete_role("picker")
        },
        |a| Parts::event(a.event_number),
        Refused("ROLE_NOT_FOUND"),
    );
    let delete = delete.other(|request| request.role_id = "receiver".to_owned());
    let delete = delete.meanwhile(async |s, _| {
        s.alice.create_role("picker", &[Edit]).ok().await;
    });
    Box::new(delete.blocked(async |s| {
        s.alice.grant("emil", "receiver").ok().await;
        Obstacle::new(s.me.delete_role("receiver"), FailedPrecondition, "ROLE_IN_USE", async move {
            s.alice.revoke("emil", "receiver").ok().await;
        })
    }))
}

fn grant() -> Box<dyn Row> {
    let grant =
        row(DORA, async |s: Stage| s.me.grant("emil", "receiver"), |a| Parts::event(a.event_number), ChangesNothing);
    let grant = grant.other(|request| request.principal = "frida".to_owned());
    let grant = grant.meanwhile(async |s, _| {
        s.alice.revoke("emil", "receiver").ok().await;
    });
    Box::new(grant.blocked(async |s| {
        Obstacle::new(s.me.grant("emil", "picker"), NotFound, "ROLE_NOT_FOUND", async move {
            s.alice.create_role("picker", &[View]).ok().await;
        })
    }))
}

fn revoke() -> Box<dyn Row> {
    let revoke = row(
        DORA,
        async |s: Stage| {
            s.me.grant("emil", "receiver").ok().await;
            s.me.revoke("emil", "receiver")
        },
        |a| Parts::event(a.event_number),
        ChangesNothing,
    );
    let revoke = revoke.other(|request| request.principal = "frida".to_owned());
    let revoke = revoke.meanwhile(async |s, _| {
        s.alice.grant("emil", "receiver").ok().await;
    });
    Box::new(revoke.blocked(async |s| {
        Obstacle::new(s.me.revoke("emil", "picker"), NotFound, "ROLE_NOT_FOUND", async move {
            s.alice.create_role("picker", &[View]).ok().await;
            s.alice.grant("emil", "picker").ok().await;
        })
    }))
}
