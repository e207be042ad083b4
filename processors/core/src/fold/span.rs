//! Spans of time and sets of them.

use fieldline_schemas::Timestamp;

/// From `from` up to `to`; empty where `to` is not after `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }
    pub fn empty_at(at: Timestamp) -> Self {
        Self { from: at, to: at }
    }
    pub fn length_us(self) -> i64 {
        self.to.since(self.from).max(0)
    }
    pub fn is_empty(self) -> bool {
        self.to <= self.from
    }
    pub fn cut(self, window: Span) -> Self {
        Self { from: self.from.max(window.from), to: self.to.min(window.to) }
    }
    pub fn overlaps(self, other: Span) -> bool {
        !self.cut(other).is_empty()
    }
}

/// Disjoint, non-empty spans in order.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanSet(Vec<Span>);

impl SpanSet {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn add(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        // Nearly always they come in order.
        match self.0.last_mut() {
            Some(last) if span.from < last.from => {}
            Some(last) if span.from <= last.to => {
                last.to = last.to.max(span.to);
                return;
            }
            _ => {
                self.0.push(span);
                return;
            }
        }
        let first = self.0.partition_point(|s| s.to < span.from);
        let last = first + self.0[first..].partition_point(|s| s.from <= span.to);
        if first == last {
            self.0.insert(first, span);
            return;
        }
        let joined = Span::new(self.0[first].from.min(span.from), self.0[last - 1].to.max(span.to));
        self.0.splice(first..last, [joined]);
    }

    /// Adds all of `other`. `room` is used again.
    pub fn add_all(&mut self, other: &SpanSet, room: &mut SpanSet) {
        if other.0.is_empty() {
            return;
        }
        room.clear();
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.from <= b.from => ours.next(),
                (_, Some(_)) => theirs.next(),
                (_, None) => ours.next(),
            };
            let Some(span) = next else { break };
            room.add(*span);
        }
        std::mem::swap(self, room);
    }

    pub fn length_us(&self) -> i64 {
        self.0.iter().map(|s| s.length_us()).sum()
    }

    /// The length of what is in `self` and not in `other`.
    pub fn length_without_us(&self, other: &SpanSet) -> i64 {
        self.length_us() - shared_us(&self.0, &other.0)
    }
}

impl Span {
    /// The length of what is in the span and not in `other`.
    pub fn length_without_us(self, other: &SpanSet) -> i64 {
        self.length_us() - shared_us(&[self], &other.0)
    }
}

/// The length of what is in both.
fn shared_us(one: &[Span], other: &[Span]) -> i64 {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        shared += a.cut(*b).length_us();
        if a.to <= b.to { i += 1 } else { j += 1 }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spans: &[(i64, i64)]) -> SpanSet {
        let mut set = SpanSet::default();
        spans.iter().for_each(|(a, b)| set.add(Span::new(Timestamp(*a), Timestamp(*b))));
        set
    }

    #[test]
    fn sets_join_and_subtract() {
        assert_eq!(set(&[(5, 7), (0, 2), (2, 3), (6, 9), (4, 4)]).length_us(), 7);
        assert_eq!(set(&[(0, 10), (20, 30)]).length_without_us(&set(&[(5, 25)])), 10);
        assert_eq!(set(&[(0, 10)]).length_without_us(&set(&[(1, 2), (3, 4), (9, 12)])), 7);
        assert_eq!(set(&[(0, 1), (2, 3), (4, 5), (1, 4)]).0.len(), 1);
    }

    #[test]
    fn sets_add_up_like_spans_one_by_one() {
        let (mut room, mut number) = (SpanSet::default(), 7_u64);
        for _ in 0..2_000 {
            let mut spans = || {
                let mut span = || {
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let from = (number >> 33) % 60;
                    (from as i64, (from + (number >> 50) % 9) as i64)
                };
                (0..span().0 % 8).map(|_| span()).collect::<Vec<_>>()
            };
            let (one, other) = (spans(), spans());
            let mut joined = set(&one);
            joined.add_all(&set(&other), &mut room);
            let instants = |at: i64| one.iter().chain(&other).any(|(from, to)| (*from..*to).contains(&at));
            let expected = (0..80).filter(|at| instants(*at)).count() as i64;
            assert_eq!(joined.length_us(), expected, "{one:?} and {other:?}");
            assert_eq!(joined.0, set(&[one.clone(), other.clone()].concat()).0, "{one:?} and {other:?}");
        }
    }
}
