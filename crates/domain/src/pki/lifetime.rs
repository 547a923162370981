//! How long something lives, as people write it.

/// Seconds of an hour.
pub const HOUR_S: i64 = 3_600;
/// Seconds of a day.
pub const DAY_S: i64 = 24 * HOUR_S;

/// The text is no lifetime.
#[derive(Debug, thiserror::Error)]
#[error("not a lifetime: a number of seconds, or of s, m, h or d as in 24h")]
pub struct BadLifetime;

/// Seconds out of `24h`, `90m`, `30d`, `3600s` or `3600`; several parts add up, as in `1h30m`.
pub fn parse(text: &str) -> Result<i64, BadLifetime> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| BadLifetime);
    }
    let mut seconds = 0_i64;
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => HOUR_S,
            'd' => DAY_S,
            _ => return Err(BadLifetime),
        };
        let count: i64 = digits.parse().map_err(|_| BadLifetime)?;
        seconds = count.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or(BadLifetime)?;
        digits.clear();
    }
    if digits.is_empty() { Ok(seconds) } else { Err(BadLifetime) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_as_people_write_them() {
        for (text, seconds) in [("24h", 86_400), ("1h30m", 5_400), ("90m", 5_400), ("3600", 3_600), ("30d", 2_592_000)]
        {
            assert_eq!(parse(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "h", "24", "1w", "1h3", "-1h", "99999999999999999999h", "24 h"] {
            assert_eq!(parse(text).is_ok(), text == "24", "{text}");
        }
    }
}
