//! Who calls: the metadata that goes with every call. A token is named by its file and never printed.

use std::path::{Path, PathBuf};

use clap::Args;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};

use crate::cli::CommandError;

/// The metadata key in which a caller gives its own name, in development mode.
const PRINCIPAL: &str = "x-principal";

/// The metadata key of credentials.
const AUTHORIZATION: &str = "authorization";

/// By what the server knows the caller
#[derive(Debug, Args)]
pub struct Caller {
    /// The name of the caller, for a server in development mode
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// The caller's token: a file; line breaks at its end do not count
    #[arg(long, env = "CALL_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// More metadata, as 'name: value'; may be repeated
    #[arg(short = 'H', long = "metadata", value_name = "NAME: VALUE", value_parser = entry)]
    metadata: Vec<(String, String)>,
}

impl Caller {
    /// Whether credentials are sent, which nobody else may read.
    pub fn has_token(&self) -> bool {
        self.token_file.is_some() || self.metadata.iter().any(|(name, _)| name == AUTHORIZATION)
    }

    /// The metadata of every call.
    pub fn metadata(&self) -> Result<MetadataMap, CommandError> {
        let mut map = MetadataMap::new();
        for (name, value) in &self.metadata {
            let mut value: MetadataValue<Ascii> = value.parse()?;
            value.set_sensitive(name == AUTHORIZATION);
            map.append(key(name)?, value);
        }
        if let Some(name) = &self.name {
            let value = name.parse().map_err(|_| format!("--as '{name}': only visible ASCII can be sent"))?;
            map.insert(PRINCIPAL, value);
        }
        if let Some(path) = &self.token_file {
            map.insert(AUTHORIZATION, bearer(path)?);
        }
        Ok(map)
    }
}

fn bearer(path: &Path) -> Result<MetadataValue<Ascii>, CommandError> {
    let refused = |why: &str| format!("the token file {}: {why}", path.display());
    let token = std::fs::read_to_string(path).map_err(|error| refused(&error.to_string()))?;
    let token = token.trim_end_matches(['\r', '\n']);
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        return Err(refused("it must hold one token and nothing else").into());
    }
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {token}").parse().map_err(|_| refused("it cannot be sent as metadata"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn entry(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()));
    parts
        .filter(|(name, value)| key(name).is_ok() && value.parse::<MetadataValue<Ascii>>().is_ok())
        .ok_or_else(|| "must be 'name: value' in ASCII, and the name must not end with -bin".to_owned())
}

fn key(name: &str) -> Result<MetadataKey<Ascii>, CommandError> {
    Ok(MetadataKey::from_bytes(name.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Caller, entry};

    #[test]
    fn an_entry_has_a_name_and_a_value() {
        assert_eq!(entry("X-Trace: a: b "), Ok(("x-trace".to_owned(), "a: b".to_owned())));
        for wrong in ["", "x-trace", ": a", "x trace: a", "trace-bin: aGk=", "x-trace: a\nb"] {
            assert!(entry(wrong).unwrap_err().contains("name: value"), "{wrong}");
        }
    }

    #[test]
    fn a_token_comes_from_a_file_and_is_shown_by_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let caller = Caller { name: None, token_file: Some(path.clone()), metadata: Vec::new() };

        fs::write(&path, "hunter2\n").unwrap();
        let metadata = caller.metadata().unwrap();
        assert_eq!(metadata.get("authorization").unwrap().as_encoded_bytes(), b"Bearer hunter2");
        assert!(!format!("{metadata:?}").contains("hunter2"));

        for wrong in ["", "hunter2 hunter3", "hunter2\nhunter3\n", "hünter2"] {
            fs::write(&path, wrong).unwrap();
            let refused = caller.metadata().unwrap_err().to_string();
            assert!(refused.contains("one token") && !refused.contains("nter"), "{refused}");
        }
    }
}
