//! There is no screen: texts are as they are written to files.

use crate::options::speech::Speech;

/// The width of tables, and nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: usize,
}

impl Default for Screen {
    fn default() -> Self {
        Screen { width: 120 }
    }
}

impl Screen {
    /// A text whose options are called as they are here.
    pub(crate) fn told(self, text: String, speech: Speech) -> String {
        speech.say(&text)
    }

    /// A text as it is.
    pub(crate) fn painted(self, text: String) -> String {
        text
    }
}
