//! Which operational events are emergencies by themselves.

use crate::events::OperationalEvent;

/// What an SOS is called where nobody says otherwise.
pub const SOS_TYPES_DEFAULT: &str = "sos,panic_button,man_down,duress";

/// The values of event_type that report an emergency. Letters count alike in upper and lower case (of ASCII), and blanks around a
/// type do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SosTypes(Vec<String>);

impl SosTypes {
    /// From a list separated by commas; an empty one names none.
    pub fn of_list(list: &str) -> Self {
        Self(list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Whether the event reports an emergency, whatever its category and severity.
    pub fn has(&self, event: &OperationalEvent<'_>) -> bool {
        let event_type = event.event_type.as_deref().unwrap_or_default().trim();
        self.0.iter().any(|name| name.eq_ignore_ascii_case(event_type))
    }
}

impl Default for SosTypes {
    fn default() -> Self {
        Self::of_list(SOS_TYPES_DEFAULT)
    }
}
