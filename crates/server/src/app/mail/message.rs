//! A letter in the form of RFC 5322.

use domain::identity::mail::Letter;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox};

/// Lines longer than this are not sent as they are (RFC 5322, 2.1.1 allows 998).
const LINE_MAX: usize = 900;

/// Tells machines that no person wrote it, so that none answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The message, or why no message can be made of it.
pub fn message(from: &Mailbox, id: &str, letter: &Letter) -> Result<Message, String> {
    let address = letter.to.parse().map_err(|_| "the address is none that mail can be sent to".to_owned())?;
    let name = Some(line(&letter.name)).filter(|name| !name.is_empty());
    let builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(name, address))
        .subject(line(&letter.subject))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    builder.body(body(&letter.text)).map_err(|error| error.to_string())
}

/// One line: whatever ends lines, or is no character at all, is a space.
fn line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.trim().to_owned()
}

/// Plain lines stay as they are, so that a link is a link in every program; others are encoded.
fn body(text: &str) -> Body {
    let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    if text.is_ascii() && text.lines().all(|line| line.len() <= LINE_MAX) {
        return Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::SevenBit);
    }
    Body::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(letter: &Letter) -> Result<String, String> {
        let from: Mailbox = "Our service <no-reply@id.example>".parse().map_err(|_| "from".to_owned())?;
        message(&from, "7", letter).map(|message| String::from_utf8_lossy(&message.formatted()).into_owned())
    }

    fn letter(to: &str, name: &str, subject: &str, text: &str) -> Letter {
        Letter { to: to.into(), name: name.into(), subject: subject.into(), text: text.into() }
    }

    #[test]
    fn a_link_stays_on_its_line() {
        let link = format!("https://id.example/reset?code=qml_{}", "a".repeat(60));
        let text = formatted(&letter("ada@b.example", "Ada", "Hello", &format!("Here:\n\n{link}\n"))).unwrap();
        assert!(text.contains(&format!("\r\n{link}\r\n")), "{text}");
        for line in ["To: Ada <ada@b.example>", "Message-ID: <7@id.example>", "Auto-Submitted: auto-generated"] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn what_people_call_themselves_makes_no_header() {
        let name = "Eve\r\nBcc: everybody@b.example";
        let text = formatted(&letter("eve@b.example", name, "Hi\r\nX-Other: 1", "Text")).unwrap_or_default();
        let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        assert!(!head.lines().any(|line| line.starts_with("Bcc:") || line.starts_with("X-Other:")), "{head}");
    }

    #[test]
    fn other_letters_than_ascii_arrive_encoded_and_an_address_that_is_none_is_refused() {
        let text = formatted(&letter("zoe@b.example", "Zoë", "Grüße", "Grüße\n")).unwrap();
        assert!(text.is_ascii(), "{text}");
        assert!(formatted(&letter("nobody", "", "", "")).is_err());
    }
}
