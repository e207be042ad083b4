//! A list that grows by pieces of one size: nothing is moved when it grows, and what one technician gives back fits the next.
//!
//! Lists that double move all they hold again and again, and leave holes of every size behind.

/// Items of a piece.
const PIECE: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Pieces<T> {
    /// All are full but the last.
    pieces: Vec<Vec<T>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T> Pieces<T> {
    pub fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.len())
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub fn push(&mut self, item: T) {
        match self.pieces.last_mut() {
            Some(last) if last.len() < PIECE => last.push(item),
            // Most lists stay short: the first piece grows as it is filled.
            None => self.pieces.push(vec![item]),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(item);
                self.pieces.push(piece);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

impl<T> std::ops::Index<usize> for Pieces<T> {
    type Output = T;
    fn index(&self, at: usize) -> &T {
        &self.pieces[at / PIECE][at % PIECE]
    }
}

impl<T> std::ops::IndexMut<usize> for Pieces<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.pieces[at / PIECE][at % PIECE]
    }
}

impl<T> IntoIterator for Pieces<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;
    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list() {
        let mut list = Pieces::default();
        assert!(list.is_empty());
        assert_eq!(list.len(), 0);
        for n in 0..3 * PIECE + 1 {
            list.push(n);
            assert!(list.len() == n + 1 && list[n] == n && !list.is_empty());
        }
        list[PIECE] = 7;
        let expected: Vec<usize> = (0..3 * PIECE + 1).map(|n| if n == PIECE { 7 } else { n }).collect();
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), expected);
        assert_eq!(list.into_iter().collect::<Vec<_>>(), expected);
    }
}
