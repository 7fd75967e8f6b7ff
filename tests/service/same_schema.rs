//! Both databases have the same schema. There are two migrations, written by hand, and the code above them is
//! one: a column, an index or a CHECK that only one of them has would be found by its users otherwise.
//!
//! Both catalogues are read as facts, one sentence each, and the two sets of facts must be equal. CHECKs and
//! conditions of indexes are compared in PostgreSQL's spelling: it stores an expression in a form of its own
//! (`a BETWEEN 1 AND 2` as `((a >= 1) AND (a <= 2))`), so SQLite's are given to PostgreSQL and read back.
//!
//! These differences are expected, and are left out of the facts:
//!
//! - The width of integers: SQLite's INTEGER always has 64 bits, PostgreSQL has BIGINT and INTEGER.
//! - Booleans: SQLite has no such type, a column of ours is INTEGER with `CHECK (column IN (0, 1))`. Both are
//!   the class `boolean` here, and an INTEGER without that CHECK is not.
//! - COLLATE "C": SQLite compares text by its bytes anyway. In PostgreSQL what a key or an index orders by
//!   must say so, which has a test of its own below.
//! - STRICT: PostgreSQL's types are always enforced. In SQLite each table must say so, which has a test too.
//! - WITHOUT ROWID and fillfactor: how rows are stored, not what they may hold.
//! - How a trigger refuses: PostgreSQL needs a function for it. Name, table, time and event are compared.
//! - `sqlite_stat1`, SQLite's own table of statistics, which the migration fills; and the table in which Diesel
//!   keeps what was migrated, which it makes itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Database, Engine};
use diesel::sql_types::Text;
use purchase_order_service::repository::session::Session;

/// What a table's facts are read from, by SQLite. Every pragma is a table-valued function here.
const SQLITE_FACTS: &str = "
    WITH ours AS (
        SELECT name FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          AND name <> '__diesel_schema_migrations'),
    columns AS (
        SELECT t.name AS tbl, c.*, CASE
            WHEN c.type = 'INTEGER' AND s.sql LIKE '%CHECK (' || c.name || ' IN (0, 1))%' THEN 'boolean'
            ELSE lower(c.type) END AS class
        FROM ours t JOIN sqlite_schema s ON s.type = 'table' AND s.name = t.name JOIN pragma_table_info(t.name) c)
    SELECT 'column ' || tbl || '.' || name || ' is number ' || (cid + 1) || ': ' || class
        || iif(\"notnull\", ' NOT NULL', '') || ' DEFAULT ' || COALESCE(dflt_value, 'none') AS fact
    FROM columns
    UNION ALL
    SELECT 'primary key of ' || tbl || ': ' || group_concat(name, ', ' ORDER BY pk) FROM columns WHERE pk > 0 GROUP BY tbl
    UNION ALL
    SELECT 'index ' || i.name || ' on ' || t.name || iif(i.\"unique\", ', unique', '') || ': '
        || group_concat(COALESCE(x.name, 'an expression') || iif(x.desc, ' DESC', ''), ', ' ORDER BY x.seqno)
    FROM ours t JOIN pragma_index_list(t.name) i JOIN pragma_index_xinfo(i.name) x
    WHERE i.origin <> 'pk' AND x.key GROUP BY t.name, i.name, i.\"unique\"
    UNION ALL
    SELECT 'foreign key of ' || t.name || ' to ' || f.\"table\" || ': ' || group_concat(f.\"from\", ', ' ORDER BY f.seq)
    FROM ours t JOIN pragma_foreign_key_list(t.name) f GROUP BY t.name, f.id, f.\"table\"
    UNION ALL
    SELECT 'trigger ' || name || ' on ' || tbl_name || ': '
        || substr(sql, instr(sql, name) + length(name) + 1, instr(sql, ' ON ') - instr(sql, name) - length(name) - 1)
    FROM sqlite_schema WHERE type = 'trigger'";

/// The same by PostgreSQL, in the same words.
const POSTGRES_FACTS: &str = "
    WITH ours AS (
        SELECT oid, relname::text AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> '__diesel_schema_migrations')
    SELECT 'column ' || t.name || '.' || a.attname || ' is number ' || a.attnum || ': '
        || CASE format_type(a.atttypid, a.atttypmod) WHEN 'bigint' THEN 'integer'
            ELSE format_type(a.atttypid, a.atttypmod) END
        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
        || ' DEFAULT ' || COALESCE(pg_get_expr(d.adbin, d.adrelid), 'none') AS fact
    FROM ours t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT CASE WHEN i.indisprimary THEN 'primary key of ' || t.name
            ELSE 'index ' || c.relname || ' on ' || t.name || CASE WHEN i.indisunique THEN ', unique' ELSE '' END END
        || ': ' || (
            SELECT string_agg(CASE WHEN i.indkey[k - 1] = 0 THEN 'an expression'
                    ELSE pg_get_indexdef(i.indexrelid, k::int, false) END
                || CASE WHEN i.indoption[k - 1] & 1 = 1 THEN ' DESC' ELSE '' END, ', ' ORDER BY k)
            FROM generate_series(1, i.indnkeyatts) k)
    FROM ours t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
    UNION ALL
    SELECT 'foreign key of ' || t.name || ' to ' || f.confrelid::regclass || ': ' || (
            SELECT string_agg(a.attname, ', ' ORDER BY k)
            FROM unnest(f.conkey) WITH ORDINALITY u(n, k) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.n)
    FROM ours t JOIN pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f'
    UNION ALL
    SELECT 'trigger ' || trigger_name || ' on ' || event_object_table || ': ' || action_timing || ' '
        || event_manipulation
    FROM information_schema.triggers WHERE trigger_schema = 'public'";

/// Indexes on expressions, which no pragma of SQLite's tells; and what each is on, as both databases spell it.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("purchase_order_line_by_gtin", "ltrim(gtin, '0')"),
    ("purchase_order_by_reference", "lower(supplier_reference)"),
    ("purchase_order_by_expected_date", "COALESCE(expected_date, 'none')"),
];

/// The conditions of PostgreSQL's partial indexes, by index.
const POSTGRES_CONDITIONS: &str = "
    SELECT indexrelid::regclass || ': ' || pg_get_expr(indpred, indrelid) AS fact
    FROM pg_index WHERE indpred IS NOT NULL AND indrelid::regclass::text = '{table}'";

/// The CHECKs of one of PostgreSQL's tables. One without a name gets a name that ends in `_check`.
const POSTGRES_CHECKS: &str = "
    SELECT CASE WHEN conname ~ '_check[0-9]*$' THEN 'unnamed' ELSE conname END || ': ' || pg_get_constraintdef(oid) AS fact
    FROM pg_constraint WHERE contype = 'c' AND conrelid = '{table}'::regclass";

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    fact: String,
}

fn query(session: &mut Session, text: &str) -> Vec<String> {
    let rows: Vec<Row> = session.load(diesel::sql_query(text)).unwrap();
    rows.into_iter().map(|row| row.fact).collect()
}

/// A table of SQLite's: what only its SQL tells, since no pragma does.
#[derive(Default)]
struct Written {
    /// Each CHECK with its name, if it has one.
    checks: Vec<(Option<String>, String)>,
    /// The condition of each partial index, by the index's name.
    conditions: BTreeMap<String, String>,
}

/// What SQLite's tables and indexes are written with, by table.
fn written(sqlite: &mut Session) -> BTreeMap<String, Written> {
    let query_text = "SELECT type || '/' || tbl_name || '/' || name || '/' || sql AS fact FROM sqlite_schema
        WHERE type IN ('table', 'index') AND sql IS NOT NULL AND tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          AND tbl_name <> '__diesel_schema_migrations'";
    let mut tables: BTreeMap<String, Written> = BTreeMap::new();
    for row in query(sqlite, query_text) {
        let [kind, table, name, sql] = row.splitn(4, '/').collect::<Vec<_>>().try_into().unwrap();
        let sql = without_comments(sql);
        let table = tables.entry(table.to_owned()).or_default();
        match (kind, sql.split_once(" WHERE ")) {
            ("table", _) => table.checks = checks_of(&sql),
            (_, Some((_, condition))) => drop(table.conditions.insert(name.to_owned(), condition.to_owned())),
            (_, None) => {}
        }
    }
    tables
}

/// The text in one line, without `--` comments. No literal of the schema has two hyphens in it.
fn without_comments(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default().trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// The CHECKs of a CREATE TABLE, but those that make a boolean of an integer.
fn checks_of(sql: &str) -> Vec<(Option<String>, String)> {
    let mut checks = Vec::new();
    for (at, word) in sql.match_indices("CHECK (") {
        let expression = up_to_closing(&sql[at + word.len()..]);
        let name = sql[..at].trim_end().rsplit_once("CONSTRAINT ").map(|(_, name)| name);
        let name = name.filter(|name| !name.contains(' ')).map(str::to_owned);
        if !expression.ends_with(" IN (0, 1)") {
            checks.push((name, expression.to_owned()));
        }
    }
    checks
}

/// What stands before the parenthesis that closes one already open. No literal has a parenthesis in it.
fn up_to_closing(text: &str) -> &str {
    let mut open = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return &text[..at];
        }
    }
    panic!("no parenthesis closes: {text}");
}

/// The CHECKs and conditions of one of PostgreSQL's tables, as facts about `called`.
fn expressions(postgres: &mut Session, table: &str, called: &str) -> BTreeSet<String> {
    let checks = query(postgres, &POSTGRES_CHECKS.replace("{table}", table));
    let conditions = query(postgres, &POSTGRES_CONDITIONS.replace("{table}", table));
    let checks = checks.into_iter().map(|check| format!("check of {called}, {check}"));
    let conditions = conditions.into_iter().map(|condition| format!("condition of {called}, {condition}"));
    checks.chain(conditions).collect()
}

/// SQLite's CHECKs and conditions of a table in PostgreSQL's spelling: they are put on a copy of PostgreSQL's
/// own table, in a schema where their names are free, and read back.
fn spelled_by_postgres(postgres: &mut Session, table: &str, written: &Written) -> BTreeSet<String> {
    let mut statements = format!("CREATE SCHEMA copy; CREATE TABLE copy.{table} (LIKE public.{table});");
    for (name, expression) in &written.checks {
        let name = name.as_ref().map(|name| format!("CONSTRAINT {name}")).unwrap_or_default();
        statements.push_str(&format!("ALTER TABLE copy.{table} ADD {name} CHECK ({expression});"));
    }
    for (name, condition) in &written.conditions {
        statements.push_str(&format!("CREATE INDEX {name} ON copy.{table} (store_id) WHERE {condition};"));
    }
    postgres.batch(&statements).unwrap();
    let found = expressions(postgres, &format!("copy.{table}"), table);
    postgres.batch("DROP SCHEMA copy CASCADE").unwrap();
    found.into_iter().map(|fact| fact.replace("copy.", "")).collect()
}

/// Both databases, migrated; `None` if there is no PostgreSQL to be had.
fn both() -> Option<(Database, Database)> {
    Some((Database::migrated(Engine::Sqlite)?, Database::migrated(Engine::Postgres)?))
}

/// The facts that only one of two sets has.
fn differences(sqlite: &BTreeSet<String>, postgres: &BTreeSet<String>) -> Vec<String> {
    let only_sqlite = sqlite.difference(postgres).map(|fact| format!("only SQLite:     {fact}"));
    let only_postgres = postgres.difference(sqlite).map(|fact| format!("only PostgreSQL: {fact}"));
    only_sqlite.chain(only_postgres).collect()
}

#[test]
fn tables_columns_keys_indexes_and_triggers_are_the_same() {
    let Some((sqlite, postgres)) = both() else { return };
    for (index, expression) in EXPRESSIONS {
        let in_sqlite = format!("SELECT sql AS fact FROM sqlite_schema WHERE name = '{index}'");
        let in_postgres = format!("SELECT replace(pg_get_indexdef('{index}'::regclass), '::text', '') AS fact");
        for written in [query(&mut sqlite.session(), &in_sqlite), query(&mut postgres.session(), &in_postgres)] {
            assert!(written[0].contains(expression), "{written:?}");
        }
    }

    let sqlite: BTreeSet<String> = query(&mut sqlite.session(), SQLITE_FACTS).into_iter().collect();
    let postgres: BTreeSet<String> = query(&mut postgres.session(), POSTGRES_FACTS).into_iter().collect();

    assert_eq!(differences(&sqlite, &postgres), [""; 0]);
    let on_expressions = sqlite.iter().filter(|fact| fact.contains("an expression")).count();
    assert_eq!(on_expressions, EXPRESSIONS.len(), "each index on an expression is named here");
    for kind in ["column ", "primary key ", "index ", "trigger "] {
        assert!(sqlite.iter().any(|fact| fact.starts_with(kind)), "no {kind}was read");
    }
    assert!(!sqlite.iter().any(|fact| fact.starts_with("foreign key ")), "the migrations say that there are none");
}

#[test]
fn checks_and_conditions_are_the_same() {
    let Some((sqlite, postgres)) = both() else { return };
    let mut postgres = postgres.session();

    let mut wrong = Vec::new();
    for (table, written) in written(&mut sqlite.session()) {
        let expected = spelled_by_postgres(&mut postgres, &table, &written);
        let found = expressions(&mut postgres, &table, &table);
        wrong.extend(differences(&expected, &found));
        assert_eq!(expected.len(), written.checks.len() + written.conditions.len(), "{table} has one of them twice");
    }
    assert_eq!(wrong, [""; 0]);
}

/// Else pages of a list, which go on behind the last key of the page before, would skip rows where the
/// server's locale orders text otherwise than by bytes.
#[test]
fn postgres_orders_text_in_keys_and_indexes_by_bytes() {
    let Some((_, postgres)) = both() else { return };
    let text = "
        SELECT DISTINCT i.indrelid::regclass || '.' || a.attname AS fact
        FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = 'public'::regnamespace
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
        JOIN pg_collation c ON c.oid = a.attcollation
        WHERE c.collname <> 'C' AND t.relname <> '__diesel_schema_migrations'";
    assert_eq!(query(&mut postgres.session(), text), [""; 0]);
}

/// Else a column would take a value of any type.
#[test]
fn sqlite_enforces_types() {
    let sqlite = Database::migrated(Engine::Sqlite).unwrap();
    let text = "
        SELECT name AS fact FROM pragma_table_list
        WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          AND name <> '__diesel_schema_migrations'";
    assert_eq!(query(&mut sqlite.session(), text), [""; 0]);
}
