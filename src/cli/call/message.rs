//! Requests and answers as JSON, in the mapping of protocol buffers. A wrong request is refused with the field and the
//! place in the text.

use std::io::{self, IsTerminal, Read, Write};

use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::Serialize;

use crate::cli::CommandError;
use crate::cli::printable::printable_json;

/// The largest message that the service takes, with room for the names of fields, which only JSON has.
const MAX_TEXT: u64 = 16 * 1024 * 1024;
const STANDARD_INPUT: &str = "-";

/// The text of a request: what was typed, or standard input for `-` and nothing. Somebody at a terminal who typed nothing
/// means the empty request.
pub fn text(typed: Option<&str>) -> Result<String, CommandError> {
    let text = match typed {
        Some(text) if text != STANDARD_INPUT => text.to_owned(),
        None if io::stdin().is_terminal() => String::new(),
        _ => from(io::stdin().lock())?,
    };
    Ok(if text.trim().is_empty() { "{}".to_owned() } else { text })
}

fn from(input: impl Read) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = input.take(MAX_TEXT + 1).read_to_string(&mut text);
    read.map_err(|error| format!("standard input: {error}"))?;
    if text.len() as u64 > MAX_TEXT {
        return Err(format!("standard input: a request of more than {} MiB is never taken", MAX_TEXT >> 20).into());
    }
    Ok(text)
}

/// The message that a text says.
pub fn parse(descriptor: MessageDescriptor, text: &str) -> Result<DynamicMessage, CommandError> {
    let name = descriptor.name().to_owned();
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let parsed = DynamicMessage::deserialize(descriptor, serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let ended = parsed.and_then(|message| json.end().map(|()| message));
    ended.map_err(|error| {
        let path = track.path().to_string();
        let place = if path == "." { String::new() } else { format!(", {path}") };
        format!("the request is no {name}{place}: {error}; `call --describe {name}` shows its fields").into()
    })
}

/// Prints an answer. Whether somebody reads on: not after `| head`.
pub fn print(message: &DynamicMessage) -> Result<bool, CommandError> {
    let mut text = Vec::new();
    message.serialize(&mut serde_json::Serializer::pretty(&mut text))?;
    text.push(b'\n');
    // The serializer writes nothing else.
    print_text(printable_json(&String::from_utf8_lossy(&text)).as_bytes())
}

/// Prints a text. Whether somebody reads on.
pub fn print_text(text: &[u8]) -> Result<bool, CommandError> {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{from, parse, text};
    use crate::cli::call::methods::built_in;

    fn refused(text: &str) -> String {
        let descriptor = built_in().unwrap().get_message_by_name("purchasing.v1.CreatePurchaseOrderRequest").unwrap();
        parse(descriptor, text).unwrap_err().to_string()
    }

    #[test]
    fn fields_have_either_name() {
        let descriptor = built_in().unwrap().get_message_by_name("purchasing.v1.GetStoreRequest").unwrap();
        for text in [r#"{"store_id": "demo"}"#, r#"{"storeId": "demo"}"#, "\n{\"storeId\":\"demo\"}\n"] {
            let message = parse(descriptor.clone(), text).unwrap();
            assert_eq!(message.get_field_by_name("store_id").unwrap().as_str(), Some("demo"));
        }
    }

    #[test]
    fn a_wrong_request_is_refused_with_the_field_and_the_place() {
        for (text, words) in [
            (r#"{"store": "demo"}"#, &["CreatePurchaseOrderRequest", "'store'", "line 1 column 8"][..]),
            (r#"{"lines": [{}, {"quantity": 24}]}"#, &["lines[1].quantity", "24", "a string", "line 1 column"]),
            (r#"{"lines": [{"unit": "BOTTLE"}]}"#, &["lines[0].unit", "BOTTLE"]),
            (r#"{"lines": [{"quantty": "24"}]}"#, &["lines[0]", "'quantty'"]),
            ("{\n\"store_id\": \"demo\",\n}", &["trailing comma", "line 3"]),
            ("{} {}", &["trailing characters", "line 1 column 4"]),
            ("[]", &["line 1 column"]),
            ("{", &["EOF", "line 1"]),
        ] {
            let refused = refused(text);
            assert!(words.iter().all(|word| refused.contains(word)), "{text}: {refused}");
        }
    }

    #[test]
    fn what_was_typed_is_the_request_and_nothing_means_the_empty_one() {
        assert_eq!(text(Some(r#"{"a": 1}"#)).unwrap(), r#"{"a": 1}"#);
        assert_eq!(text(Some(" ")).unwrap(), "{}");
        assert_eq!(from(&b"{}"[..]).unwrap(), "{}");
        assert!(from(std::io::repeat(b' ')).unwrap_err().to_string().contains("16 MiB"));
    }
}
