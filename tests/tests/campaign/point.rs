//! A point of a run: what was sent or came, and for the how many-th time. Requests that are sent at once are different points,
//! so a point is the same one in every run, whatever arrives first.

use std::{fmt, str::FromStr, time::Instant};

/// A point, as in `apply:services/edge:2`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Point {
    /// What: the key of a request, or of an event, `event:TYPE:RESOURCE/NAME`.
    pub key: String,
    /// Which of those with this key, from 1.
    pub nth: u64,
}

/// A point that a run had.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The point.
    pub point: Point,
    /// When.
    pub at: Instant,
    /// Whether it is a read whose reply was another than the first one to the same question.
    pub is_news: bool,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.nth)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: must be a point such as apply:services/edge:2");
        let (key, nth) = text.rsplit_once(':').filter(|(key, _)| key.contains(':')).ok_or_else(wrong)?;
        Ok(Self { key: key.into(), nth: nth.parse::<u64>().ok().filter(|nth| *nth > 0).ok_or_else(wrong)? })
    }
}

#[test]
fn a_point_is_read_as_it_is_written() {
    for text in ["apply:services/edge:2", "event:MODIFIED:deployments/edge:12", "list:pods[routing]:1"] {
        assert_eq!(text.parse::<Point>().map(|point| point.to_string()), Ok(text.to_string()));
    }
    for text in ["", "7", "apply:2", "apply:services/edge", "apply:services/edge:0", "apply:services/edge:-1"] {
        assert!(text.parse::<Point>().is_err(), "{text}");
    }
}
