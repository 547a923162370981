//! Recovery codes: eighty bits each, written in four groups, each taken once.

/// How many there are.
pub const COUNT: usize = 10;
/// The random bytes of one.
pub const LEN: usize = 10;

/// Crockford's base 32: no letter looks like a digit.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 16;

/// A code as it is written: `XXXX-XXXX-XXXX-XXXX`.
pub fn written(random: [u8; LEN]) -> String {
    let mut bits = random.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let mut letters = [0_u8; CHARS];
    for place in letters.iter_mut().rev() {
        *place = LETTERS[(bits & 31) as usize];
        bits >>= 5;
    }
    let groups: Vec<String> = letters.chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join("-")
}

/// What somebody typed, in the form that is hashed; none when it cannot be a code.
pub fn read(text: &str) -> Option<String> {
    let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    let plain: String = plain.take(CHARS + 1).collect();
    (plain.len() == CHARS && plain.bytes().all(|byte| LETTERS.contains(&byte))).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written_and_as_it_is_misread() {
        let code = written([0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(code.len(), 19);
        let plain = code.replace('-', "");
        assert_eq!(read(&code), Some(plain.clone()));
        assert_eq!(read(&format!(" {} ", code.to_lowercase())), Some(plain));
        assert_eq!(written([0; LEN]), "0000-0000-0000-0000");
        assert_eq!(read("oooo-0000-0000-iLl1"), Some("0000000000001111".to_owned()));
        for wrong in ["", "0000-0000-0000-000", "0000-0000-0000-00000", "0000-0000-0000-000U", "0000-0000-0000-000é"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
