//! What Prometheus would read: a scrape over HTTP, and its series by name.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::timeout::within_timeout;

/// The answer to a GET, head and body, as it comes; an error if the connection is refused or reset.
pub async fn http_get(address: SocketAddr, path: &str) -> io::Result<String> {
    within_timeout(async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: service\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    })
    .await
}

/// The series of one scrape.
#[derive(Debug)]
pub struct Scrape {
    /// The values, by name and labels as they stand there: `name{label="value"}`.
    series: BTreeMap<String, f64>,
    /// The type of each metric.
    pub types: BTreeMap<String, String>,
}

impl Scrape {
    /// Scrapes.
    pub async fn of(address: SocketAddr) -> Self {
        let answer = http_get(address, "/metrics").await.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Self::parse(body)
    }

    fn parse(body: &str) -> Self {
        let (mut series, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in body.lines() {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                let (name, kind) = described.split_once(' ').expect("a name and a type");
                assert_eq!(types.insert(name.to_owned(), kind.to_owned()), None, "{name} is described twice");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').expect("a series and its value");
                let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(series.insert(name.to_owned(), value), None, "{name} is there twice");
            }
        }
        Self { series, types }
    }

    /// The value of a series; `None` if there is none.
    pub fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// The same, where a series that is not there was never counted.
    pub fn count(&self, series: &str) -> f64 {
        self.value(series).unwrap_or(0.0)
    }

    /// The names and labels of all series.
    pub fn names(&self) -> BTreeSet<&str> {
        self.series.keys().map(String::as_str).collect()
    }

    /// The names of the labels that the series of a metric have. Those of a histogram's buckets are not counted.
    pub fn labels(&self, metric: &str) -> BTreeSet<&str> {
        let mut labels = BTreeSet::new();
        for series in self.series.keys() {
            let (name, in_braces) = series.split_once('{').unwrap_or((series, ""));
            let is_of_metric = name == metric
                || ["_bucket", "_sum", "_count"].iter().any(|suffix| name.strip_suffix(suffix) == Some(metric));
            if is_of_metric {
                let pairs = in_braces.trim_end_matches('}').split("\",").filter_map(|pair| pair.split_once('='));
                labels.extend(pairs.map(|(label, _)| label).filter(|label| *label != "le"));
            }
        }
        labels
    }
}
