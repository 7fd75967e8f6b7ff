//! Tests of the working set: how entries are saved, and what the commands of a batch see of the decisions before theirs.

use super::*;
use crate::domain::order::receipt::Voided;
use crate::domain::testing::TestStore;

fn entities() -> EntityMap<i32, &'static str> {
    let mut entities = EntityMap::new("a word");
    entities.insert_loaded(1, "one");
    entities.insert_absent(2);
    entities
}

/// What is to be deleted, inserted and updated.
fn to_save(entities: &EntityMap<i32, &'static str>) -> (Vec<i32>, Vec<&'static str>, Vec<&'static str>) {
    let copied = |values: Vec<&&'static str>| values.into_iter().copied().collect();
    let removed = entities.removed_keys().into_iter().copied().collect();
    (removed, copied(entities.new_entries()), copied(entities.changed_entries()))
}

#[test]
fn what_was_there_is_updated_and_what_was_not_is_inserted() {
    let mut entities = entities();
    entities.put(1, "uno");
    entities.put(2, "due");
    entities.put(2, "zwei");
    assert_eq!(to_save(&entities), (vec![], vec!["zwei"], vec!["uno"]));
    assert_eq!(entities.get(&3), Err(NotLoaded("a word")));
    assert_eq!(entities.present().collect::<Vec<_>>(), [&"uno", &"zwei"]);
}

#[test]
fn what_goes_is_deleted_and_what_takes_its_place_is_inserted_behind_it() {
    let mut entities = entities();
    entities.remove(1);
    assert_eq!((entities.get(&1), to_save(&entities)), (Ok(None), (vec![1], vec![], vec![])));
    entities.put(1, "uno");
    entities.put(1, "eins");
    assert_eq!((entities.get(&1), to_save(&entities)), (Ok(Some(&"eins")), (vec![1], vec!["eins"], vec![])));
    entities.remove(1);
    assert_eq!((entities.get(&1), to_save(&entities)), (Ok(None), (vec![1], vec![], vec![])));
}

#[test]
fn what_came_and_went_in_one_batch_leaves_nothing_to_save() {
    let mut entities = entities();
    entities.put(2, "due");
    entities.remove(2);
    entities.remove(2);
    assert_eq!((entities.get(&2), to_save(&entities)), (Ok(None), (vec![], vec![], vec![])));
    entities.put(2, "zwei");
    assert_eq!(to_save(&entities), (vec![], vec!["zwei"], vec![]));
}

fn period<K>(key: K) -> ValidityPeriod<K> {
    ValidityPeriod { key, from_event: 1, to_event: None }
}

fn permission_of(role: &str, permission: Permission) -> RolePermissionKey {
    RolePermissionKey { store: StoreId::new("s1"), role: RoleId::new(role), permission }
}

fn grant(principal: &str, role: &str) -> GrantKey {
    GrantKey { store: StoreId::new("s1"), principal: PrincipalId::new(principal), role: RoleId::new(role) }
}

/// Ann is a buyer, who may view and edit; a clerk may receive, and nobody is one.
fn roles_and_grants() -> WorkingSet {
    let store = StoreId::new("s1");
    let mut set = WorkingSet::default();
    set.set_complete(store.clone(), Need::Roles);
    set.set_complete(store.clone(), Need::Grants);
    for (role, permission) in [("buyer", Permission::View), ("buyer", Permission::Edit), ("clerk", Permission::Receive)]
    {
        set.insert_role_permission(permission_of(role, permission), 1);
    }
    let ann = PrincipalId::new("ann");
    set.insert_grant(store.clone(), ann.clone(), RoleId::new("buyer"), 1);
    set.insert_permissions(store, ann, BTreeSet::from([Permission::View, Permission::Edit]));
    set
}

fn permissions_of_ann(set: &WorkingSet) -> Result<Vec<Permission>, NotLoaded> {
    let permissions = set.permissions_of(&StoreId::new("s1"), &PrincipalId::new("ann"))?;
    Ok(permissions.iter().copied().collect())
}

#[test]
fn what_a_caller_may_do_follows_the_roles_and_grants_that_decisions_change() {
    let mut set = roles_and_grants();
    set.absorb(Decision {
        permissions_closed: vec![period(permission_of("buyer", Permission::Edit))],
        permissions: vec![period(permission_of("buyer", Permission::Place))],
        ..Decision::default()
    });
    assert_eq!(permissions_of_ann(&set), Ok(vec![Permission::View, Permission::Place]));
    set.absorb(Decision {
        grants_closed: vec![period(grant("ann", "buyer"))],
        grants: vec![period(grant("ann", "clerk"))],
        ..Decision::default()
    });
    assert_eq!(permissions_of_ann(&set), Ok(vec![Permission::Receive]));
    assert_eq!(set.all_grants(&StoreId::new("s1")).unwrap().len(), 1);
}

#[test]
fn a_role_ends_with_its_last_permission() {
    let mut set = roles_and_grants();
    set.absorb(Decision {
        permissions_closed: vec![period(permission_of("clerk", Permission::Receive))],
        ..Decision::default()
    });
    let roles = set.roles(&StoreId::new("s1")).unwrap();
    assert_eq!(roles.keys().map(RoleId::as_str).collect::<Vec<_>>(), ["buyer"]);
}

#[test]
fn what_a_caller_may_do_is_forgotten_where_it_cannot_be_worked_out_anew() {
    let mut set = roles_and_grants();
    set.complete.clear();
    let elsewhere = StoreId::new("s2");
    set.insert_permissions(elsewhere.clone(), PrincipalId::new("ann"), BTreeSet::from([Permission::View]));
    set.absorb(Decision { grants_closed: vec![period(grant("ann", "buyer"))], ..Decision::default() });
    assert_eq!(permissions_of_ann(&set), Err(NotLoaded("a caller's permissions")));
    assert!(set.permissions_of(&elsewhere, &PrincipalId::new("ann")).is_ok());
}

#[test]
fn all_lines_of_an_order_are_there_if_the_batch_created_it() {
    let mut store = TestStore::new();
    let order = store.draft(&["oak 10"]);
    for (revision, lines) in [(1, Ok(0)), (2, Err(NotLoaded("all lines of an order")))] {
        let mut set = WorkingSet::default();
        let header = Order { revision, ..store.header(order).clone() };
        let key = header.key.clone();
        set.absorb(Decision { orders: vec![header], ..Decision::default() });
        assert_eq!(set.lines_of(&key).map(|lines| lines.len()), lines);
        assert_eq!(set.staged_items_of(&key).is_ok(), lines.is_ok());
    }
}

#[test]
fn staged_items_follow_the_receipts_that_decisions_book_and_void() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.receipt(order, &[(1, "1", "0")]);
    let [first, second] = [1, 2].map(|number| store.receipt_of(order, number).clone());
    let key = store.header(order).key.clone();
    let mut set = WorkingSet::default();
    set.absorb(Decision { receipts: vec![second.clone()], ..Decision::default() });
    assert!(set.staged_items_of(&key).is_err(), "one receipt alone is not all of them");

    let mut set = WorkingSet::default();
    set.set_complete(key.store.clone(), Need::StagedItems(order));
    for item in first.staged_items() {
        set.insert_staged_item(key.clone(), item);
    }
    set.absorb(Decision { receipts: vec![second], ..Decision::default() });
    let staged =
        |set: &WorkingSet| set.staged_items_of(&key).unwrap().iter().map(|item| item.receipt).collect::<Vec<_>>();
    assert_eq!(staged(&set), [1, 2]);
    let voided = Voided { time: store.now, by: store.caller.id.clone(), reason: "counted again".to_owned() };
    set.absorb(Decision { receipts: vec![Receipt { voided: Some(voided), ..first }], ..Decision::default() });
    assert_eq!(staged(&set), [2]);
}

#[test]
fn a_store_whose_roles_were_loaded_and_are_none_has_none() {
    let store = StoreId::new("s1");
    let mut set = WorkingSet::default();
    assert_eq!(set.roles(&store), Err(NotLoaded("a store's roles")));
    set.set_complete(store.clone(), Need::Roles);
    assert_eq!(set.roles(&store), Ok(&BTreeMap::new()));
}
