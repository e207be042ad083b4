//! The closed list of anomaly codes and sets of them.

use std::fmt;

macro_rules! anomalies {
    ($($(#[$doc:meta])* $name:ident = $code:literal)*) => {
        /// An anomaly code. The order of the variants is the alphabetical order of the codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Anomaly { $($(#[$doc])* $name,)* }

        impl Anomaly {
            pub const ALL: &'static [Anomaly] = &[$(Anomaly::$name,)*];
            /// The code as stored, suffix letter included.
            pub const fn code(self) -> &'static str { match self { $(Anomaly::$name => $code,)* } }
            pub fn from_code(code: &str) -> Option<Self> { match code { $($code => Some(Anomaly::$name),)* _ => None } }
        }
    };
}

anomalies! {
    /// shift_start while on shift
    A01 = "A01"
    /// shift_end missing, by timer
    A02 = "A02"
    /// shift_end without start
    A03 = "A03"
    /// activity outside any shift
    A04 = "A04"
    /// travel while on site without left_site
    A05 = "A05"
    /// the same: a re-route
    A05i = "A05i"
    /// the same: work left open
    A05w = "A05w"
    /// travel_end without start
    A06 = "A06"
    /// the same, at most 5 min after an arrival
    A06i = "A06i"
    /// arrival without travel
    A07 = "A07"
    /// arrival at another visit than travelled to
    A07w = "A07w"
    /// work without arrival
    A08 = "A08"
    /// completed without start
    A09 = "A09"
    /// rework
    A09i = "A09i"
    /// pause or resume without matching state
    A10 = "A10"
    /// left_site without arrival
    A11 = "A11"
    /// left_site while work open
    A12 = "A12"
    /// break_end without start
    A13 = "A13"
    /// break closed by another event
    A13i = "A13i"
    /// shift_end with open travel or visit
    A14 = "A14"
    /// the same, work open
    A14e = "A14e"
    /// the same, work suspended
    A14i = "A14i"
    /// overlapping visits
    A15 = "A15"
    /// repeated state
    A16 = "A16"
    /// received more than 72 h after it happened
    A17 = "A17"
    /// device clock more than 5 min ahead
    A18 = "A18"
    /// impossible movement, over 200 km/h
    A19 = "A19"
    /// arrival outside the geofence
    A20 = "A20"
    /// location invalid
    A21 = "A21"
    /// vehicle event in an odd state
    A22i = "A22i"
    /// same vehicle, two technicians travelling at once
    A23 = "A23"
    /// first drive of the day without inspection (rule pack)
    A24 = "A24"
    /// arrival, work or left without visit_id
    A25 = "A25"
    /// activity after an emergency without confirmed clearance
    A26 = "A26"
    /// conflicting content for one id
    A27 = "A27"
    /// implausible length
    A28 = "A28"
    /// cuts depend on context before the 72 h that are known
    A29 = "A29"
}

/// A set of codes; iteration is in alphabetical order.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Anomalies(u64);

impl Anomalies {
    pub const NONE: Self = Self(0);

    pub const fn of(anomaly: Anomaly) -> Self {
        Self(1 << anomaly as u8)
    }
    pub const fn insert(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << anomaly as u8;
    }
    pub const fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & (1 << anomaly as u8) != 0
    }
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        let mut left = self.0;
        // From bit to bit: most sets are empty or nearly so, and each row is asked several times.
        std::iter::from_fn(move || {
            let anomaly = Anomaly::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*anomaly)
        })
    }
}

impl FromIterator<Anomaly> for Anomalies {
    fn from_iter<I: IntoIterator<Item = Anomaly>>(anomalies: I) -> Self {
        let mut set = Self::NONE;
        anomalies.into_iter().for_each(|a| set.insert(a));
        set
    }
}

impl fmt::Debug for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Anomaly::code)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_in_the_alphabetical_order_of_their_codes() {
        assert!(Anomaly::ALL.windows(2).all(|w| w[0].code() < w[1].code()));
        assert!(Anomaly::ALL.len() <= 64);
    }

    #[test]
    fn a_set_gives_back_what_was_put_in() {
        for every in 1..=Anomaly::ALL.len() {
            let put: Vec<_> = Anomaly::ALL.iter().copied().step_by(every).collect();
            let set: Anomalies = put.iter().rev().copied().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), put);
            assert_eq!(set.len(), put.len());
        }
        assert_eq!(Anomalies::NONE.iter().next(), None);
    }
}
