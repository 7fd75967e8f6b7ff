//! The history of an order with 100,000 events: each page is found by the index of an order's events, the
//! last like the first.

use purchase_order_service::repository::session::Session;
use rstest::rstest;

use crate::listing::{Heard, listener, reads_little};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, Setup, World, explain, order_of, split_binds};

/// Gives the only draft of the database further events, up to its revision 100,000.
const FILL: &str = r#"
    INSERT INTO event
    WITH RECURSIVE n(i) AS (SELECT CAST(2 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    SELECT e.store_id, e.event_number + n.i, e.event_time, e.actor, e.as_operator, 'ORDER_UPDATED', e.po_id, n.i,
        e.state_after, e.order_after, '{"v":1,"note":null}'
    FROM n CROSS JOIN event e WHERE e.event_type = 'ORDER_CREATED';
    UPDATE purchase_order SET revision = 100000"#;

const EMPTY: &str = "
    DELETE FROM event WHERE event_type = 'ORDER_UPDATED';
    UPDATE purchase_order SET revision = 1";

/// Whether a statement reads no more events than a page has; if not, its plan.
fn reads_one_page(session: &mut Session, on: Engine, statement: &str) -> Result<(), String> {
    let (text, binds) = split_binds(statement);
    if on == Postgres {
        return reads_little(session, text, binds);
    }
    let plan = explain(session, text);
    let events: Vec<&String> = plan.iter().filter(|step| step.contains(" event ")).collect();
    // Once for the sizes of the events, and once for the events.
    let by_index = events.iter().all(|step| step.contains("SEARCH event USING INDEX event_by_order"));
    if events.len() == 2 && by_index { Ok(()) } else { Err(format!("{plan:#?}")) }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_index_leads_to_each_page_of_a_history(#[values(Sqlite, Postgres)] on: Engine) {
    let _alone = crate::ALONE.lock().await;
    let Some(database) = Database::migrated(on) else { return };
    let heard = Heard::default();
    let world = World::set_up(database, Setup { observer: Some(listener(&heard)), ..Setup::default() }).await;
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "1")]).await;
    let mut session = world.database.session();
    session.batch(FILL).unwrap();
    session.batch(if on == Postgres { "ANALYZE" } else { "" }).unwrap();

    let (mut revisions, mut page_token) = (Vec::new(), String::new());
    loop {
        heard.lock().unwrap().clear();
        let call = alice.history(&draft).with(|r| (r.page_size, r.page_token) = (500, page_token));
        let page = call.ok().await;
        revisions.extend(page.events.iter().map(|event| order_of(event).revision));
        page_token = page.next_page_token;
        // Between the first and the last page there is nothing else to be seen.
        if revisions.len() == 500 || page_token.is_empty() {
            let heard = std::mem::take(&mut *heard.lock().unwrap());
            let asked = heard.iter().filter(|statement| statement.contains("octet_length")).collect::<Vec<_>>();
            assert_eq!(asked.len(), 1, "{heard:#?}");
            reads_one_page(&mut session, on, asked[0]).unwrap_or_else(|why| panic!("{why}\n  {}", asked[0]));
        }
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(revisions, (1..=100_000).collect::<Vec<i64>>());
    session.batch(EMPTY).unwrap();
    world.verify().await;
}
