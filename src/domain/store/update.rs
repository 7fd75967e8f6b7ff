//! UpdateStore: a store's settings.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::Needs;
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::time::TimeZone;

/// Changes to a store; what is `None` stays as it is.
#[derive(Clone, Debug)]
pub struct UpdateStore {
    /// What a person reads.
    pub display_name: Option<String>,
    /// Where its dates are judged from now on.
    pub time_zone: Option<TimeZone>,
}

impl Command for UpdateStore {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageStore)
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let before = changeset.store()?.clone();
        let after = Store {
            display_name: self.display_name.clone().unwrap_or_else(|| before.display_name.clone()),
            time_zone: self.time_zone.clone().unwrap_or_else(|| before.time_zone.clone()),
            ..before.clone()
        };
        if after == before {
            return Ok(Outcome::store_changed(0));
        }
        let detail = Detail::StoreUpdated {
            display_name: (after.display_name != before.display_name).then(|| after.display_name.clone()),
            time_zone: (after.time_zone != before.time_zone).then(|| after.time_zone.name().to_owned()),
        };
        *changeset.store_mut()? = after;
        let event = changeset.record(detail)?;
        Ok(Outcome::store_changed(event))
    }
}
