//! Insights into a secret's strength: computed here, from the value alone; nothing leaves the process.

/// How hard the value is to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Under 45 bits.
    Weak,
    /// Under 80 bits.
    Medium,
    /// 80 bits and more.
    Strong,
}

/// The verdict on one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insights {
    /// How hard it is to guess.
    pub strength: Strength,
    /// What to do, most important first.
    pub recommendations: Vec<&'static str>,
}

/// Facts about the secret beside its value.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Whole days since the value was last changed.
    pub age_days: i64,
    /// Whether an expiry is set.
    pub expires: bool,
}

const WEAK_BITS: f64 = 45.0;
const MEDIUM_BITS: f64 = 80.0;
const OLD_DAYS: i64 = 90;
/// Fragments that make a value guessable whatever surrounds them.
const COMMON: [&str; 12] = [
    "password", "passwort", "123456", "qwerty", "letmein", "welcome", "admin", "secret", "changeme", "default",
    "iloveyou", "test",
];

/// Judges a value.
pub fn judge(value: &str, around: Circumstances) -> Insights {
    let lower = value.to_lowercase();
    let common = COMMON.iter().any(|word| lower.contains(word));
    let bits = if common { guessing_bits(value) / 2.0 } else { guessing_bits(value) };
    let strength = match bits {
        bits if bits < WEAK_BITS => Strength::Weak,
        bits if bits < MEDIUM_BITS => Strength::Medium,
        _ => Strength::Strong,
    };
    let advice = [
        (strength < Strength::Strong, "Use a generated value of at least 20 random characters."),
        (common && strength < Strength::Strong, "Avoid dictionary words and keyboard patterns."),
        (around.age_days > OLD_DAYS, "Rotate the value: it has not changed for more than 90 days."),
        (!around.expires, "Set an expiry, so that rotation cannot be forgotten."),
    ];
    Insights {
        strength,
        recommendations: advice.iter().filter(|(applies, _)| *applies).map(|(_, text)| *text).collect(),
    }
}

/// A kind of character, and how many there are of it.
type Class = (fn(char) -> bool, f64);

/// An upper bound on the guessing entropy: length times the bits of the alphabet in use, lowered to the Shannon
/// entropy of the characters where they repeat.
fn guessing_bits(value: &str) -> f64 {
    let length = value.chars().count() as f64;
    let classes: [Class; 4] = [
        (|c| c.is_ascii_lowercase(), 26.0),
        (|c| c.is_ascii_uppercase(), 26.0),
        (|c| c.is_ascii_digit(), 10.0),
        (|c| !c.is_ascii_alphanumeric(), 33.0),
    ];
    let alphabet: f64 = classes.iter().filter(|(is, _)| value.chars().any(*is)).map(|(_, size)| size).sum();
    if alphabet == 0.0 {
        return 0.0;
    }
    let mut counts = std::collections::BTreeMap::new();
    for character in value.chars() {
        *counts.entry(character).or_insert(0.0_f64) += 1.0;
    }
    let shannon: f64 = counts.values().map(|n| -(n / length) * (n / length).log2()).sum();
    // Distinct characters of a short random value cannot show its whole alphabet: allow for it with log2(length).
    length * alphabet.log2().min(shannon * alphabet.log2() / length.log2().max(1.0).min(alphabet.log2()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_common_and_short_values_are_weak_and_random_ones_strong() {
        let fresh = Circumstances { age_days: 0, expires: true };
        for (value, strength) in [
            ("", Strength::Weak),
            ("aaaaaaaaaaaaaaaaaaaaaaaa", Strength::Weak),
            ("password123", Strength::Weak),
            ("hunter2", Strength::Weak),
            ("k3$Vw9!pQ2", Strength::Medium),
            ("x7Kd92mQpLw4Zt8VbN1cRy6H", Strength::Strong),
            ("Server=db;User=app;Password=7Gk2mQpLw4Zt8VbN1cRy6H", Strength::Strong),
        ] {
            assert_eq!(judge(value, fresh).strength, strength, "{value}");
        }
    }

    #[test]
    fn age_and_a_missing_expiry_are_advised_on() {
        let old = judge("x7Kd92mQpLw4Zt8VbN1cRy6H", Circumstances { age_days: 91, expires: false });
        assert_eq!(old.recommendations.len(), 2);
    }
}
