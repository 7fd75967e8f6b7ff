//! Generates what `src/rpc/costs.rs` needs of the contract: how a response's costs are unset, and how a
//! request is asked whether it names one. Which fields those are is said by the mark
//! `(purchasing.v1.cost)` alone, at any depth.
//!
//! A mark where no code can be generated fails the build: leaving it out would show the cost.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;

use protox::prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};

const MARK: &str = "purchasing.v1.cost";
/// The field of an update's request that says which of its other fields count.
const MASK: &str = "update_mask";

/// The implementations of `HideCosts` for all messages that a response of `package` holds, and of
/// `NamesCost` for all its requests.
pub fn impls(pool: &DescriptorPool, package: &str) -> Result<String, Box<dyn Error>> {
    let mark = pool.get_extension_by_name(MARK).ok_or("the option that marks costs is not found")?;
    let costs = Costs::of(pool, mark);
    let (mut requests, mut responses) = (BTreeMap::new(), BTreeMap::new());
    for service in pool.services().filter(|service| service.package_name() == package) {
        for method in service.methods() {
            requests.insert(method.input().full_name().to_owned(), method.input());
            collect(&method.output(), package, &mut responses);
        }
    }
    let mut code = String::new();
    // A message that is declared within another holds no cost: `check_shape` refuses those that do.
    for response in responses.values().filter(|response| response.parent_message().is_none()) {
        let statements = costs.unsetting(response)?;
        writeln!(code, "impl HideCosts for v1::{} {{ fn hide_costs(&mut self) {{ {statements} }} }}", response.name())?;
    }
    for request in requests.values() {
        let checks = costs.checks(request)?;
        writeln!(
            code,
            "impl NamesCost for v1::{} {{ fn names_cost(&self) -> Option<&'static str> {{ {checks} None }} }}",
            request.name()
        )?;
    }
    Ok(code)
}

/// Adds a message of the package and all that it holds.
fn collect(message: &MessageDescriptor, package: &str, found: &mut BTreeMap<String, MessageDescriptor>) {
    if message.package_name() != package || found.insert(message.full_name().to_owned(), message.clone()).is_some() {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            collect(&inner, package, found);
        }
    }
}

struct Costs {
    mark: ExtensionDescriptor,
    /// The full names of the messages that hold a marked field, at any depth.
    bearing: BTreeSet<String>,
}

impl Costs {
    fn of(pool: &DescriptorPool, mark: ExtensionDescriptor) -> Self {
        let mut costs = Self { mark, bearing: BTreeSet::new() };
        // Messages may hold each other, so this goes on until nothing is added.
        loop {
            let known = costs.bearing.len();
            for message in pool.all_messages() {
                if message.fields().any(|field| costs.is_marked(&field) || costs.bears(&field)) {
                    costs.bearing.insert(message.full_name().to_owned());
                }
            }
            if costs.bearing.len() == known {
                return costs;
            }
        }
    }

    fn is_marked(&self, field: &FieldDescriptor) -> bool {
        matches!(*field.options().get_extension(&self.mark), Value::Bool(true))
    }

    /// Whether the field's message holds a marked field.
    fn bears(&self, field: &FieldDescriptor) -> bool {
        matches!(field.kind(), Kind::Message(inner) if self.bearing.contains(inner.full_name()))
    }

    /// The statements that unset the costs of a message.
    fn unsetting(&self, message: &MessageDescriptor) -> Result<String, Box<dyn Error>> {
        let mut statements = String::new();
        for field in message.fields() {
            let name = field.name();
            if self.is_marked(&field) {
                check_shape(&field)?;
                let value = if field.is_list() { "Vec::new()" } else { "None" };
                writeln!(statements, "self.{name} = {value};")?;
            } else if self.bears(&field) {
                check_inner(&field)?;
                match alternative(&field) {
                    Some((holder, variant)) => writeln!(
                        statements,
                        "if let Some({variant}(inner)) = &mut self.{holder} {{ inner.hide_costs(); }}"
                    )?,
                    None => {
                        check_shape(&field)?;
                        writeln!(statements, "self.{name}.iter_mut().for_each(HideCosts::hide_costs);")?;
                    }
                }
            }
        }
        Ok(statements)
    }

    /// The statements that return the path of the first cost of a request that is set.
    fn checks(&self, request: &MessageDescriptor) -> Result<String, Box<dyn Error>> {
        let has_mask = request.get_field_by_name(MASK).is_some();
        let mut checks = String::new();
        for (path, condition) in self.conditions(request, "self", &mut Vec::new())? {
            let field = path.split('.').next().unwrap_or_default();
            let masked = match has_mask {
                true => format!("is_in_mask(self.{MASK}.as_ref(), {field:?}) && "),
                false => String::new(),
            };
            writeln!(checks, "if {masked}{condition} {{ return Some({path:?}); }}")?;
        }
        Ok(checks)
    }

    /// For each cost that a message may hold, its path and the expression that tells whether it is set in
    /// the message `holder`.
    fn conditions(
        &self,
        message: &MessageDescriptor,
        holder: &str,
        within: &mut Vec<String>,
    ) -> Result<Vec<(String, String)>, Box<dyn Error>> {
        if within.iter().any(|outer| outer == message.full_name()) {
            return Err(format!("{} holds itself: its costs have no finite list of paths", message.full_name()).into());
        }
        within.push(message.full_name().to_owned());
        let mut conditions = Vec::new();
        for field in message.fields() {
            let name = field.name();
            if self.is_marked(&field) {
                check_shape(&field)?;
                let condition = match field.is_list() {
                    true => format!("!{holder}.{name}.is_empty()"),
                    false => format!("{holder}.{name}.is_some()"),
                };
                conditions.push((name.to_owned(), condition));
            } else if let (true, Kind::Message(inner)) = (self.bears(&field), field.kind()) {
                check_shape(&field)?;
                for (path, condition) in self.conditions(&inner, "it", within)? {
                    let condition = format!("{holder}.{name}.iter().any(|it| {condition})");
                    conditions.push((format!("{name}.{path}"), condition));
                }
            }
        }
        within.pop();
        Ok(conditions)
    }
}

/// Refuses a field with costs for which no code is generated: the generated type has to be an `Option` or
/// a `Vec` of its own.
fn check_shape(field: &FieldDescriptor) -> Result<(), Box<dyn Error>> {
    if alternative(field).is_some() || field.is_map() || !(field.is_list() || field.supports_presence()) {
        let rule = "with costs must be optional or repeated, and no map or part of a oneof";
        return Err(format!("a field {rule}: {}", field.full_name()).into());
    }
    check_inner(field)
}

/// Refuses a field of a message with costs for which nothing is generated.
fn check_inner(field: &FieldDescriptor) -> Result<(), Box<dyn Error>> {
    if matches!(field.kind(), Kind::Message(inner) if inner.parent_message().is_some()) {
        return Err(format!("a message with costs must not be declared within another: {}", field.full_name()).into());
    }
    Ok(())
}

/// If a field is part of a oneof: the Rust field that holds the oneof, and the variant that it is there. In
/// a response a message with costs may be one.
fn alternative(field: &FieldDescriptor) -> Option<(String, String)> {
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic())?;
    let module = snake_case(field.parent_message().name());
    let variant = format!("v1::{module}::{}::{}", camel_case(oneof.name()), camel_case(field.name()));
    Some((oneof.name().to_owned(), variant))
}

/// The name of a message as the module that holds its oneofs has it: `HistoryEntry` as `history_entry`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// The name of a field as a variant has it: `stock_adjusted` as `StockAdjusted`.
fn camel_case(name: &str) -> String {
    let mut camel = String::new();
    for word in name.split('_') {
        let mut characters = word.chars();
        camel.extend(characters.next().into_iter().flat_map(char::to_uppercase));
        camel.extend(characters);
    }
    camel
}
