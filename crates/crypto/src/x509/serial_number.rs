use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::random::Random;

/// A certificate's serial number: the octets of its INTEGER, most significant first.
///
/// Kept as it is written, also where an issuer broke the rules, so that a certificate can be named in order to be refused.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SerialNumber(Box<[u8]>);

impl SerialNumber {
    /// A new one: 16 octets, positive, 126 bits of them random. The second highest bit is set, so that all have the same
    /// length.
    pub fn draw(random: &dyn Random) -> Self {
        let mut octets = [0; LENGTH];
        random.fill(&mut octets);
        if let Some(first) = octets.first_mut() {
            *first = *first & 0x3f | 0x40;
        }
        Self(octets.into())
    }

    /// A new one among many: 16 octets, the milliseconds since the Unix epoch in the first six and 80 random bits after them,
    /// more than the 64 that the CA/Browser Forum's baseline asks for (section 7.1). Numbers drawn one after the other stand
    /// beside each other in an index. The second highest bit is set as in [`SerialNumber::draw`].
    pub fn in_order(millis: i64, random: &dyn Random) -> Self {
        let mut octets = [0; LENGTH];
        random.fill(&mut octets);
        // Until the year 4199.
        let millis = millis.clamp(0, (1 << 46) - 1) | 1 << 46;
        for (octet, of_time) in octets.iter_mut().zip(millis.to_be_bytes().iter().skip(2)) {
            *octet = *of_time;
        }
        Self(octets.into())
    }

    /// A number out of the octets of an INTEGER.
    pub fn from_bytes(octets: &[u8]) -> Self {
        Self(octets.into())
    }

    /// The octets of the INTEGER.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is what RFC 5280 4.1.2.2 asks for: greater than zero, in at most 20 octets.
    pub fn is_conforming(&self) -> bool {
        let positive = self.0.first().is_some_and(|first| *first < 0x80) && self.0.iter().any(|octet| *octet != 0);
        positive && self.0.len() <= 20
    }
}

/// Lower-case hexadecimal digits.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

impl FromStr for SerialNumber {
    type Err = Error;

    /// Hexadecimal digits of either case, in pairs; colons between them do not matter.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        if digits.is_empty() || digits.len() > 2 * MAX_LENGTH {
            return Err(NOT_A_NUMBER);
        }
        let octets = digits.chunks(2).map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        });
        octets.collect::<Option<Vec<u8>>>().map(|octets| Self(octets.into())).ok_or(NOT_A_NUMBER)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

const LENGTH: usize = 16;
const MAX_LENGTH: usize = 21;
const NOT_A_NUMBER: Error = Error::BadArgument("not a serial number in hexadecimal digits");
