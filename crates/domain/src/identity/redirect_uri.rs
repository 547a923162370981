//! Whether a browser may be sent to an address: if the application registered exactly it.

/// Whether `asked` is one of the registered addresses, compared as text (RFC 9700, 2.1). An installed program that registered a loopback address by number
/// gets it with any port (RFC 8252, 7.3); `localhost` is a name like any other.
pub fn is_registered(registered: &[String], asked: &str, is_installed: bool) -> bool {
    registered.iter().any(|known| known == asked || (is_installed && is_same_loopback(known, asked)))
}

fn is_same_loopback(known: &str, asked: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].iter().any(|host| {
        let rest = |text: &str| text.strip_prefix(host).and_then(without_port).map(str::to_owned);
        rest(known).is_some() && rest(known) == rest(asked)
    })
}

/// What follows the port, if what comes first is a port, or nothing that could belong to the host.
fn without_port(text: &str) -> Option<&str> {
    let Some(rest) = text.strip_prefix(':') else {
        return (text.is_empty() || text.starts_with(['/', '?'])).then_some(text);
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (port, rest) = rest.split_at_checked(digits)?;
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('0');
    (is_port && (rest.is_empty() || rest.starts_with(['/', '?']))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registered_text_is_accepted() {
        let registered = ["https://app.example/callback".to_owned()];
        assert!(is_registered(&registered, "https://app.example/callback", false));
        for other in [
            "https://app.example/callback/",
            "https://app.example/callback?x=1",
            "https://app.example/callback#x",
            "https://app.example/Callback",
            "https://APP.example/callback",
            "https://app.example./callback",
            "https://app.example:443/callback",
            "https://user@app.example/callback",
            "https://app.example/%63allback",
            "https://app.example/x/../callback",
            "https://app.example/%2e%2e/callback",
            "https://app.example.evil.example/callback",
            "https://app.ex\u{e4}mple/callback",
            "http://app.example/callback",
        ] {
            assert!(!is_registered(&registered, other, true), "{other}");
        }
    }

    #[test]
    fn an_installed_program_chooses_its_port_on_loopback_and_nothing_else() {
        let registered = ["http://127.0.0.1/cb", "http://[::1]:8000/cb", "http://localhost:3000/cb"].map(str::to_owned);
        for (asked, installed, accepted) in [
            ("http://127.0.0.1:49152/cb", true, true),
            ("http://127.0.0.1/cb", true, true),
            ("http://[::1]:1/cb", true, true),
            ("http://127.0.0.1:49152/cb", false, false),
            ("http://localhost:49152/cb", true, false),
            ("http://localhost:3000/cb", true, true),
            ("http://127.0.0.1:0/cb", true, false),
            ("http://127.0.0.1:99999/cb", true, false),
            ("http://127.0.0.1:08/cb", true, false),
            ("http://127.0.0.1:80@evil.example/cb", true, false),
            ("http://127.0.0.1.evil.example/cb", true, false),
            ("http://127.0.0.1:80/other", true, false),
            ("https://127.0.0.1:80/cb", true, false),
        ] {
            assert_eq!(is_registered(&registered, asked, installed), accepted, "{asked}");
        }
    }
}
