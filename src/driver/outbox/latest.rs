//! Something of which only the latest is told.

use crate::driver::commit::watermark::{LogPosition, Watermark};

/// At most two states of something wait to be told: the second is not durable yet. So what is told
/// is never held up by what is still to come.
#[derive(Clone, Debug)]
pub(in crate::driver) struct Latest<T> {
    first: (T, LogPosition),
    second: Option<(T, LogPosition)>,
}

impl<T> Latest<T> {
    pub(in crate::driver) fn new(state: T, position: LogPosition) -> Self {
        Self { first: (state, position), second: None }
    }

    /// When the first of them may be told.
    pub(in crate::driver) fn position(&self) -> LogPosition {
        self.first.1
    }

    /// There is news.
    pub(in crate::driver) fn overtake(
        &mut self,
        state: T,
        position: LogPosition,
        watermark: &Watermark,
    ) {
        if watermark.has(position) {
            *self = Self::new(state, position);
        } else {
            self.second = Some((state, position));
        }
    }

    /// The latest that may be told, given that the first may, and what remains to be told later.
    pub(in crate::driver) fn take(self, watermark: &Watermark) -> (T, Option<Self>) {
        match self.second {
            Some((newer, position)) if watermark.has(position) => (newer, None),
            second => {
                let later = second.map(|(newer, position)| Self::new(newer, position));
                (self.first.0, later)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_that_is_durable_is_told_and_the_next_one_later() {
        let watermark = Watermark::new(true);
        let [one, two, three, four] = [(); 4].map(|()| watermark.applied());
        let mut latest = Latest::new(1, one);
        latest.overtake(2, two, &watermark);
        latest.overtake(3, three, &watermark);
        watermark.advance(two);
        let (told, later) = latest.take(&watermark);
        assert_eq!(told, 1, "the third is not durable, and has overtaken the second");
        let mut latest = later.unwrap();
        assert_eq!(latest.position(), three);
        watermark.advance(four);
        latest.overtake(4, four, &watermark);
        assert!(matches!(latest.take(&watermark), (4, None)));
    }
}
