//! Equal lines by the inputs that have them, which tells copies that exports have of each other from several lines of one article.

/// How many equal lines each input has, the lines being given in the order of the inputs.
#[derive(Debug, Default)]
pub(super) struct InputCounts {
    /// The input of the last line, and its number of lines so far.
    last: Option<(u32, u64)>,
    /// The most lines of an input before it.
    most: u64,
}

impl InputCounts {
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Counts a line of an input; says whether an input before it has as many.
    pub(super) fn add(&mut self, input: u32) -> bool {
        let count = match self.last {
            Some((last, count)) if last == input => count + 1,
            Some((_, count)) => {
                self.most = self.most.max(count);
                1
            }
            None => 1,
        };
        self.last = Some((input, count));
        count <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_line_as_many_count_as_one_input_has() {
        let copies = |inputs: &[u32]| {
            let mut counts = InputCounts::default();
            inputs.iter().filter(|&&input| counts.add(input)).count()
        };
        assert_eq!(copies(&[1, 1, 1]), 0);
        assert_eq!(copies(&[1, 2]), 1);
        assert_eq!(copies(&[1, 1, 2]), 1);
        assert_eq!(copies(&[1, 2, 2]), 1);
        assert_eq!(copies(&[1, 1, 2, 2, 2, 3]), 3);
    }
}
