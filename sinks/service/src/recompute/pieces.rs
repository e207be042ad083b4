//! How a technician's past is cut into pieces, and which pieces are asked for together.
//!
//! ```text
//! records by day   ▂▅▇▅▂▁  ▃▇▇▅▂▁▁  ▂▇▇▇▁
//! pieces           ├──────┤├───────┤├───┤   no time between them, so no unit falls through
//! ```
//! A piece limits what the history worker holds at once, a round what it has to do before the next one is asked for. No
//! round holds two pieces of a technician, since requests of one technician that meet are computed as one. Pure.

use super::Span;
use fieldline_schemas::Timestamp;
use fieldline_schemas::ids::TechnicianId;
use fieldline_schemas::time::DAY_US;

/// Records in a piece, unless one day alone has more.
pub const PIECE_RECORDS_MAX: u64 = 20_000;
/// Records in a round, unless one piece alone has more.
pub const ROUND_RECORDS_MAX: u64 = 1_000_000;
/// Requests in a round.
pub const ROUND_REQUESTS_MAX: usize = 20_000;

/// A technician's past, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub technician_contact_id: TechnicianId,
    pub span: Span,
    /// In the log tables, duplicates included.
    pub records: u64,
}

/// Records of a technician on one day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Since 1970; negative before.
    pub number: i64,
    pub records: u64,
}

/// Cuts a past between days, so that no piece but one of a single day has more than `PIECE_RECORDS_MAX` records.
pub fn cut(whole: &Piece, days: &[Day]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for day in days {
        let begins_at = Timestamp(day.number * DAY_US);
        match pieces.last_mut() {
            Some(last) if last.records + day.records <= PIECE_RECORDS_MAX => last.records += day.records,
            Some(last) => {
                last.span.to = begins_at - 1;
                pieces.push(Piece { span: Span { from: begins_at, ..whole.span }, records: day.records, ..*whole });
            }
            None => pieces.push(Piece { records: day.records, ..*whole }),
        }
    }
    pieces
}

/// Pieces (those of one technician side by side, in order) in rounds: each technician at most once in a round.
pub fn rounds(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut turns: Vec<Vec<Piece>> = Vec::new();
    for same in pieces.chunk_by(|a, b| a.technician_contact_id == b.technician_contact_id) {
        turns.resize(turns.len().max(same.len()), Vec::new());
        for (turn, piece) in turns.iter_mut().zip(same) {
            turn.push(*piece);
        }
    }
    let mut rounds: Vec<Vec<Piece>> = Vec::new();
    for turn in turns {
        let mut records = u64::MAX;
        for piece in turn {
            match rounds.last_mut() {
                Some(round) if records.saturating_add(piece.records) <= ROUND_RECORDS_MAX && round.len() < ROUND_REQUESTS_MAX => {
                    records += piece.records;
                    round.push(piece);
                }
                _ => {
                    records = piece.records;
                    rounds.push(vec![piece]);
                }
            }
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn whole(technician: u128, first_day: i64, last_day: i64, records: u64) -> Piece {
        let technician_contact_id = TechnicianId(Uuid::from_u128(technician));
        let span = Span { from: Timestamp(first_day * DAY_US + 5), to: Timestamp(last_day * DAY_US + 7) };
        Piece { technician_contact_id, span, records }
    }

    #[test]
    fn pieces_are_small_and_leave_no_time_between_them() {
        let days: Vec<Day> = (-40..400).map(|number| Day { number, records: (number * number % 900 + 100) as u64 }).collect();
        let all = whole(1, -40, 399, days.iter().map(|day| day.records).sum());
        let pieces = cut(&all, &days);
        assert!(pieces.len() > 10);
        assert!(pieces.iter().all(|piece| piece.records <= PIECE_RECORDS_MAX));
        assert_eq!(pieces.iter().map(|piece| piece.records).sum::<u64>(), all.records);
        assert_eq!((pieces[0].span.from, pieces[pieces.len() - 1].span.to), (all.span.from, all.span.to));
        assert!(pieces.windows(2).all(|two| two[0].span.to + 1 == two[1].span.from));
    }

    #[test]
    fn a_day_is_not_cut() {
        let days = [3, 4, 9].map(|number| Day { number, records: PIECE_RECORDS_MAX * 2 });
        let pieces = cut(&whole(1, 3, 9, PIECE_RECORDS_MAX * 6), &days);
        assert_eq!(pieces.iter().map(|piece| piece.records).collect::<Vec<_>>(), [PIECE_RECORDS_MAX * 2; 3]);
        assert_eq!(pieces[1].span, Span { from: Timestamp(4 * DAY_US), to: Timestamp(9 * DAY_US - 1) });
    }

    #[test]
    fn rounds_are_limited_and_hold_a_technician_once() {
        let mut pieces: Vec<Piece> = (0..3).map(|n| whole(1, n * 10, n * 10 + 9, 20_000)).collect();
        pieces.extend((2..50_002).map(|technician| whole(technician, 0, 9, 40)));
        pieces.push(whole(60_000, 0, 9, ROUND_RECORDS_MAX * 2));
        let rounds = rounds(&pieces);
        assert_eq!(rounds.iter().map(Vec::len).sum::<usize>(), pieces.len());
        for round in &rounds {
            assert!(round.len() <= ROUND_REQUESTS_MAX);
            assert!(round.len() == 1 || round.iter().map(|piece| piece.records).sum::<u64>() <= ROUND_RECORDS_MAX);
            let mut seen: Vec<_> = round.iter().map(|piece| piece.technician_contact_id).collect();
            seen.dedup();
            assert_eq!(seen.len(), round.len());
        }
        assert_eq!(rounds.len(), 6, "three of 20,000 and fewer requests, the large one, and two more turns of the first technician");
    }
}
