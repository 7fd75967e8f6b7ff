//! Merges what is found in several stores into one page of a list over stores.
//!
//! A list over stores is in the order of a key, then of the store, then of the row within the store. Each store is scanned
//! by an index in that order, or by several, a bounded number of rows at a time; all scans are read by one statement. The
//! page ends where the first of the scans ends, because behind that place rows are missing, and the next page begins there.
//! So a page costs a bounded number of rows and of statements, whatever is asked for, and no row is left out or comes twice.
//!
//! Where a page is not full after the first round, the scans go on from where they have ended: in turns those few that have
//! come the least far, because often one store has most of the first rows, and all of them, because often all have some.

use std::collections::BTreeMap;

/// A place in a list over stores, which page tokens carry: the key, the store and the row. A place without a row is before
/// every row of that key and store.
pub type Position<K, R> = (K, String, Option<R>);

/// Where the scan of one store begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start<K, R> {
    /// At its first row.
    Beginning,
    /// At the first row with this key.
    At(K),
    /// After all rows with this key.
    AfterKey(K),
    /// After this row.
    After(K, R),
}

impl<K: Clone, R: Clone> Start<K, R> {
    /// After the last row that a scan has come by.
    fn behind(key: &K, row: Option<&R>) -> Self {
        row.map_or_else(|| Self::At(key.clone()), |row| Self::After(key.clone(), row.clone()))
    }

    /// Where the rows of `store` begin that are after a position of the list.
    pub fn in_store(store: &str, after: Option<&Position<K, R>>) -> Self {
        let Some((key, last_store, row)) = after else { return Self::Beginning };
        match (store.cmp(last_store.as_str()), row) {
            (std::cmp::Ordering::Less, _) => Self::AfterKey(key.clone()),
            (std::cmp::Ordering::Equal, Some(row)) => Self::After(key.clone(), row.clone()),
            (std::cmp::Ordering::Equal, None) | (std::cmp::Ordering::Greater, _) => Self::At(key.clone()),
        }
    }
}

/// A row that a scan has come by.
#[derive(Clone, Debug)]
pub struct Scanned<K, R> {
    /// The number of the scan.
    pub scan: usize,
    /// Where it is in the list.
    pub key: K,
    /// Its store.
    pub store: String,
    /// What identifies it within its key and store.
    pub row: R,
    /// Whether the filter lets it pass.
    pub matches: bool,
}

impl<K: Clone, R: Clone> Scanned<K, R> {
    fn place(&self) -> Position<K, R> {
        (self.key.clone(), self.store.clone(), Some(self.row.clone()))
    }
}

/// The rows of a page, in their order, and where the next page begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged<K, R> {
    /// The places of the rows of the page.
    pub rows: Vec<(K, String, R)>,
    /// The place after which the next page begins; `None` if the list ends with this page.
    pub next: Option<Position<K, R>>,
}

/// How many rows are scanned in one round, over all scans together. Each scan may come by [`LEAST`] rows all the same.
const ROUND: usize = 5_000;
/// How many rows each scan may come by in a round at least.
const LEAST: usize = 2;
/// How many rounds a page takes at most.
const ROUNDS: usize = 6;
/// How many scans go on in every second round.
const BEHIND: usize = 20;

/// A page of `size` rows from scans that begin at `starts`. `read` reads so many rows of each of the scans that it is
/// given, from a place on, and `passes_over` tells whether rows may not match.
pub fn page<K, R, E>(
    starts: Vec<Start<K, R>>,
    size: usize,
    passes_over: bool,
    mut read: impl FnMut(&[(usize, Start<K, R>)], usize) -> Result<Vec<Scanned<K, R>>, E>,
) -> Result<Merged<K, R>, E>
where
    K: Ord + Clone,
    R: Ord + Clone,
{
    // Where every row matches, a scan never needs more than the rows of a page, and one that tells whether it goes on.
    let most = if passes_over { ROUND } else { size + 1 };
    let mut going: Vec<(usize, Start<K, R>)> = starts.into_iter().enumerate().collect();
    // The last place of each scan that may have more rows.
    let mut ends: BTreeMap<usize, Position<K, R>> = BTreeMap::new();
    let mut scanned = Vec::new();
    for round in 1..=ROUNDS {
        let each = (ROUND / going.len().max(1)).max(LEAST).min(most);
        let found = read(&going, each)?;
        let mut places: BTreeMap<usize, Vec<Position<K, R>>> = BTreeMap::new();
        for row in &found {
            places.entry(row.scan).or_default().push(row.place());
        }
        for (scan, _) in &going {
            // A scan that found fewer rows than it may come by has no more, and does not limit the page any longer.
            let places = places.remove(scan).filter(|places| places.len() >= each);
            match places.and_then(|places| places.into_iter().max()) {
                Some(end) => ends.insert(*scan, end),
                None => ends.remove(scan),
            };
        }
        scanned.extend(found);
        // Behind the first of the ends, rows of that scan are missing, so what the others have there must wait.
        let horizon = ends.values().min();
        let is_on_page = |row: &&Scanned<K, R>| row.matches && horizon.is_none_or(|horizon| row.place() <= *horizon);
        // After the last round the page ends at the horizon, also with fewer rows than asked for, or none.
        if ends.is_empty() || round == ROUNDS || scanned.iter().filter(is_on_page).count() >= size {
            break;
        }
        let mut behind: Vec<(&usize, &Position<K, R>)> = ends.iter().collect();
        if round % 2 == 1 {
            behind.sort_by_key(|(_, end)| *end);
            behind.truncate(BEHIND);
        }
        going = behind.into_iter().map(|(scan, (key, _, row))| (*scan, Start::behind(key, row.as_ref()))).collect();
    }
    Ok(merge(scanned, ends.into_values().min(), size))
}

/// The first `size` rows that match, up to the `horizon`, behind which rows may be missing.
fn merge<K: Ord + Clone, R: Ord + Clone>(
    scanned: Vec<Scanned<K, R>>,
    horizon: Option<Position<K, R>>,
    size: usize,
) -> Merged<K, R> {
    let mut rows = Vec::new();
    for row in scanned {
        if row.matches && horizon.as_ref().is_none_or(|horizon| row.place() <= *horizon) {
            rows.push((row.key, row.store, row.row));
        }
    }
    rows.sort();
    if rows.len() <= size {
        return Merged { rows, next: horizon };
    }
    // There is more before the horizon than the page has room for, so the next page begins after the last row.
    rows.truncate(size);
    let next = rows.last().map(|(key, store, row)| (key.clone(), store.clone(), Some(row.clone())));
    Merged { rows, next }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn scanned(key: i32, store: &str, row: i32, matches: bool) -> Scanned<i32, i32> {
        Scanned { scan: 0, key, store: store.to_owned(), row, matches }
    }

    fn place(key: i32, store: &str, row: impl Into<Option<i32>>) -> Position<i32, i32> {
        (key, store.to_owned(), row.into())
    }

    #[test]
    fn a_scan_begins_after_the_last_row_by_where_its_store_is() {
        let after = place(5, "m", 7);
        for (store, after, expected) in [
            ("m", None, Start::Beginning),
            ("a", Some(after.clone()), Start::AfterKey(5)),
            ("m", Some(after.clone()), Start::After(5, 7)),
            ("z", Some(after), Start::At(5)),
            ("m", Some(place(5, "m", None)), Start::At(5)),
            ("a", Some(place(5, "m", None)), Start::AfterKey(5)),
        ] {
            assert_eq!(Start::in_store(store, after.as_ref()), expected, "{store}");
        }
    }

    #[test]
    fn a_page_ends_where_the_first_scan_ends() {
        let rows = || {
            vec![
                scanned(2, "a", 1, true),
                scanned(1, "b", 9, true),
                scanned(1, "a", 4, false),
                scanned(3, "b", 2, true),
                scanned(3, "a", 3, true),
            ]
        };
        let all = [(1, "b", 9), (2, "a", 1), (3, "a", 3), (3, "b", 2)];
        for (horizon, size, count, next) in [
            (None, 9, 4, None),
            (None, 4, 4, None),
            (None, 3, 3, Some(place(3, "a", 3))),
            (Some(place(3, "a", 3)), 9, 3, Some(place(3, "a", 3))),
            (Some(place(3, "b", None)), 9, 3, Some(place(3, "b", None))),
            (Some(place(2, "a", 1)), 9, 2, Some(place(2, "a", 1))),
            (Some(place(3, "b", None)), 1, 1, Some(place(1, "b", 9))),
            (Some(place(1, "a", 4)), 9, 0, Some(place(1, "a", 4))),
        ] {
            let merged = merge(rows(), horizon.clone(), size);
            let found: Vec<_> = merged.rows.iter().map(|(key, store, row)| (*key, store.as_str(), *row)).collect();
            assert_eq!((found.as_slice(), merged.next), (&all[..count], next), "{horizon:?} {size}");
        }
    }

    /// Stores by number, each with its keys in order; the row of a key is its place in the store.
    struct Stores {
        keys: Vec<Vec<i32>>,
        matches: fn(i32) -> bool,
        /// How many rows were read, and by how many statements.
        read: (usize, usize),
    }

    impl Stores {
        fn new(keys: Vec<Vec<i32>>, matches: fn(i32) -> bool) -> Self {
            Self { keys, matches, read: (0, 0) }
        }

        fn read(&mut self, scans: &[(usize, Start<i32, i32>)], each: usize) -> Vec<Scanned<i32, i32>> {
            let mut found = Vec::new();
            for (scan, start) in scans {
                let rows = self.keys[*scan].iter().zip(0..).filter(|(key, row)| match start {
                    Start::Beginning => true,
                    Start::At(from) => *key >= from,
                    Start::AfterKey(last) => *key > last,
                    Start::After(last, last_row) => (**key, *row) > (*last, *last_row),
                });
                found.extend(rows.take(each).map(|(key, row)| Scanned {
                    scan: *scan,
                    key: *key,
                    store: format!("{scan:04}"),
                    row,
                    matches: (self.matches)(*key),
                }));
            }
            self.read = (self.read.0 + found.len(), self.read.1 + 1);
            found
        }

        /// All pages, and how many there were.
        fn pages(&mut self, size: usize, passes_over: bool) -> (Vec<(i32, String, i32)>, usize) {
            let (mut rows, mut pages, mut after) = (Vec::new(), 0, None);
            loop {
                let stores = (0..self.keys.len()).map(|scan| format!("{scan:04}"));
                let starts = stores.map(|store| Start::in_store(&store, after.as_ref())).collect();
                let before = self.read;
                let page = page(starts, size, passes_over, |scans, each| Ok::<_, Infallible>(self.read(scans, each)));
                let page = page.unwrap();
                let (read, statements) = (self.read.0 - before.0, self.read.1 - before.1);
                assert!(statements <= ROUNDS && read <= ROUNDS * ROUND.max(LEAST * self.keys.len()), "{read} rows");
                assert!(page.rows.len() <= size);
                pages += 1;
                rows.extend(page.rows);
                match page.next {
                    Some(next) => after = Some(next),
                    None => return (rows, pages),
                }
            }
        }

        fn all(&self) -> Vec<(i32, String, i32)> {
            let mut all = Vec::new();
            for (scan, keys) in self.keys.iter().enumerate() {
                let rows = keys.iter().zip(0..).filter(|(key, _)| (self.matches)(**key));
                all.extend(rows.map(|(key, row)| (*key, format!("{scan:04}"), row)));
            }
            all.sort();
            all
        }
    }

    #[test]
    fn pages_have_every_row_once_however_the_rows_are_spread() {
        let spread = |stores: i32, rows: i32| -> Vec<Vec<i32>> {
            (0..stores).map(|store| (0..rows).map(|row| row * 7 + store % 5).collect()).collect()
        };
        let one_has_the_first = || {
            let mut keys = spread(300, 20);
            keys[150] = (-3_000..0).collect();
            keys
        };
        let never: fn(i32) -> bool = |_| false;
        for (name, keys, matches, size, most_pages) in [
            ("spread", spread(1_000, 100), (|_| true) as fn(i32) -> bool, 100, 1_001),
            ("spread, few match", spread(1_000, 100), |key| key % 97 == 0, 50, 60),
            ("spread, none match", spread(1_000, 100), never, 20, 20),
            ("one has the first", one_has_the_first(), |_| true, 100, 100),
            ("one has the first, none match", one_has_the_first(), never, 100, 10),
            ("one store", vec![(0..30_000).collect()], |key| key % 1_000 == 0, 10, 10),
            ("many alike", vec![vec![5; 500]; 30], |_| true, 99, 153),
            ("nothing", vec![Vec::new(); 10], |_| true, 10, 1),
        ] {
            let mut stores = Stores::new(keys, matches);
            let (rows, pages) = stores.pages(size, name.contains("match") || name == "one store");
            assert_eq!(rows, stores.all(), "{name}");
            assert!(pages <= most_pages, "{name} takes {pages} pages");
        }
    }
}
