use super::*;
use crate::algorithm::Algorithm;
use crate::random::Seeded;

const PLACE: Place = Place { tenant: [1; 16], key: [2; 16], version: 3 };

fn sealed_as<'a>(place: &'a Place, aad: &'a [u8]) -> Seal<'a> {
    Seal { place, purpose: Purpose::Message, encoding: Encoding::Utf8, aad }
}

type Opens = Box<dyn Fn(&Place, Purpose, &[u8], &Message) -> Result<SecretBytes, Refused>>;

/// A message and how to open it, for every suite and mode.
fn cases(random: &Seeded) -> Vec<(Message, Opens)> {
    let mut cases: Vec<(Message, Opens)> = vec![];
    for algorithm in [Algorithm::MlKem768, Algorithm::MlKem1024, Algorithm::XWing] {
        let key = PrivateKey::generate(algorithm, random).unwrap();
        let public = key.public_key().unwrap();
        let (epoch, encapsulation) = EpochKey::establish(&public, &PLACE, random).unwrap();
        let fast = seal_fast(&epoch, &sealed_as(&PLACE, b"aad"), b"plain", random).unwrap();
        let sealed = seal(&public, &sealed_as(&PLACE, b"aad"), b"plain", random).unwrap();
        let recovered = EpochKey::recover(&key, &PLACE, epoch.id(), &encapsulation).unwrap();
        cases.push((sealed, Box::new(move |place, purpose, aad, message| open(&key, place, purpose, aad, message))));
        cases.push((
            fast,
            Box::new(move |place, purpose, aad, message| open_fast(&recovered, place, purpose, aad, message)),
        ));
    }
    let key = PrivateKey::generate(Algorithm::Aes256Gcm, random).unwrap();
    let epoch = EpochKey::from_symmetric(&key, &PLACE, [9; 8]).unwrap();
    let fast = seal_fast(&epoch, &sealed_as(&PLACE, b"aad"), b"plain", random).unwrap();
    cases.push((fast, Box::new(move |place, purpose, aad, message| open_fast(&epoch, place, purpose, aad, message))));
    cases
}

#[test]
fn a_message_opens_in_its_place_and_nowhere_else() {
    for (message, opens) in cases(&Seeded::new(b"place")) {
        let name = format!("{:?}", message.header());
        assert_eq!(opens(&PLACE, Purpose::Message, b"aad", &message).unwrap().expose(), b"plain", "{name}");
        let refused = |place: Place, purpose, aad: &[u8]| opens(&place, purpose, aad, &message).is_err();
        assert!(refused(Place { tenant: [7; 16], ..PLACE }, Purpose::Message, b"aad"), "other tenant: {name}");
        assert!(refused(Place { key: [7; 16], ..PLACE }, Purpose::Message, b"aad"), "other key: {name}");
        assert!(refused(Place { version: 4, ..PLACE }, Purpose::Message, b"aad"), "other version: {name}");
        assert!(refused(PLACE, Purpose::DataKey, b"aad"), "other purpose: {name}");
        assert!(refused(PLACE, Purpose::Message, b"Aad"), "other associated data: {name}");
        assert!(refused(PLACE, Purpose::Message, b""), "no associated data: {name}");
    }
}

#[test]
fn any_changed_bit_and_any_other_length_is_refused() {
    for (message, opens) in cases(&Seeded::new(b"bits")) {
        let bytes = message.to_bytes();
        let refused = |bytes: &[u8]| match Message::parse(bytes) {
            Ok(message) => opens(&PLACE, Purpose::Message, b"aad", &message).is_err(),
            Err(Refused) => true,
        };
        let fixed = bytes.len() - message.encapsulation().len();
        for at in 0..bytes.len() {
            // Every byte around the encapsulation; of the encapsulation itself, a sample.
            if fixed < bytes.len() && at > 91 && at < 91 + message.encapsulation().len() && at % 37 != 0 {
                continue;
            }
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(refused(&changed), "byte {at} of {:?}", message.header());
        }
        for length in (0..bytes.len()).step_by(13) {
            assert!(refused(&bytes[..length]), "cut to {length}");
        }
        assert!(refused(&[bytes.as_slice(), &[0]].concat()), "one byte more");
    }
}

#[test]
fn the_wire_parts_are_the_same_message() {
    for (message, opens) in cases(&Seeded::new(b"parts")) {
        let (c, ek, n, t) = (message.c(), message.encapsulation(), message.nonce(), message.tag());
        let again = Message::from_parts(&c, ek, n, t).unwrap();
        assert_eq!(again.to_bytes(), message.to_bytes());
        assert!(opens(&PLACE, Purpose::Message, b"aad", &again).is_ok());
        assert!(Message::from_parts(&c, &[ek, &[0]].concat(), n, t).is_err());
        assert!(Message::from_parts(&c, ek, &n[1..], t).is_err());
        assert!(Message::from_parts(&c, ek, n, &t[1..]).is_err());
        assert!(Message::from_parts(&c[..90], ek, n, t).is_err());
    }
}

#[test]
fn parsing_anything_never_panics() {
    let random = Seeded::new(b"anything");
    let seeds: Vec<_> = cases(&random).into_iter().map(|(message, _)| message.to_bytes()).collect();
    let mut noise = [0; 8];
    for round in 0..20_000 {
        random.fill(&mut noise);
        let mut bytes = seeds[round % seeds.len()].clone();
        bytes.truncate(usize::from(u16::from_be_bytes([noise[0], noise[1]])) % (bytes.len() + 1));
        for change in noise[2..].chunks(2) {
            if let Some(byte) = bytes.get_mut(usize::from(change[0]) % 64) {
                *byte = change[1];
            }
        }
        if let Ok(message) = Message::parse(&bytes) {
            assert_eq!(message.to_bytes(), bytes);
            assert_eq!(message.c().len() + message.encapsulation().len() + 28, bytes.len());
        }
        let _ = Message::from_parts(&bytes, &[], &noise, &noise);
    }
}

#[test]
fn salt_nonce_and_epoch_come_from_the_argument() {
    let random = Seeded::new(b"recorded");
    let key = PrivateKey::generate(Algorithm::MlKem768, &random).unwrap();
    let (epoch, _) = EpochKey::establish(&key.public_key().unwrap(), &PLACE, &random).unwrap();
    let message = seal_fast(&epoch, &sealed_as(&PLACE, b""), b"x", &random).unwrap();
    let drawn = random.drawn();
    assert_eq!(drawn[0], key.to_stored().expose()[1..]);
    assert_eq!(drawn[1], epoch.id());
    assert_eq!(drawn[2][..24], message.header().salt);
    assert_eq!(drawn[2][24..], *message.nonce());
    assert_eq!(drawn.len(), 3);
}
