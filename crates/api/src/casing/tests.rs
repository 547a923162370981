use std::collections::BTreeMap;

use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::encryption::EncryptRequest;
use crate::keys::{KeyType, ListKeys};
use crate::time::WireTime;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    plain_text: String,
    key_version: Option<u32>,
    inner_items: Vec<Inner>,
    free_form: Option<Value>,
    user_map: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    max_access_count: u32,
}

fn outer() -> Outer {
    Outer {
        plain_text: "x".to_owned(),
        key_version: Some(2),
        inner_items: vec![Inner { max_access_count: 1 }],
        free_form: Some(json!({"someKey": {"innerKey": [1]}})),
        user_map: Some([("userKey".to_owned(), json!({"deepKey": true}))].into()),
    }
}

#[test]
fn fields_bind_in_every_casing_and_user_data_stays_as_it_is() {
    for body in [
        r#"{"plainText":"x","keyVersion":2,"innerItems":[{"maxAccessCount":1}],"freeForm":FREE,"userMap":USER}"#,
        r#"{"plain_text":"x","key_version":2,"inner_items":[{"max_access_count":1}],"free_form":FREE,"user_map":USER}"#,
        r#"{"PlainText":"x","KeyVersion":2,"InnerItems":[{"MaxAccessCount":1}],"FreeForm":FREE,"UserMap":USER}"#,
        r#" {"PLAINTEXT":"x","key_Version":2,"_inneritems":[{"maxaccesscount":1}],"freeform":FREE,"User_MAP":USER,"extra":[{}]} "#,
        r#"{"plain\u0054ext":"x","keyVersion":2,"innerItems":[{"maxAccessCount":1}],"freeForm":FREE,"userMap":USER}"#,
    ] {
        let body =
            body.replace("FREE", r#"{"someKey":{"innerKey":[1]}}"#).replace("USER", r#"{"userKey":{"deepKey":true}}"#);
        assert_eq!(from_slice_any_case::<Outer>(body.as_bytes()).unwrap(), outer(), "{body}");
    }
}

#[test]
fn a_refusal_names_the_field_and_never_the_value() {
    for (body, fault, message) in [
        (r#"{"plainText":1,"innerItems":[]}"#, Fault::Shape, "expected a string at `plainText`"),
        (r#"{"innerItems":[]}"#, Fault::Shape, "missing field `plainText`"),
        (
            r#"{"plainText":"x","innerItems":[{"maxAccessCount":1},{"maxAccessCount":"hunter2"}]}"#,
            Fault::Shape,
            "expected u32 at `innerItems[1].maxAccessCount`",
        ),
        (r#"{"plainText":"x","innerItems":[{}]}"#, Fault::Shape, "missing field `maxAccessCount` at `innerItems[0]`"),
        (r#"{"plainText":"x","plain_text":"y"}"#, Fault::Duplicate, "a field is given twice"),
        (r#"{"plainText":"x","plainText":"x"}"#, Fault::Duplicate, "a field is given twice"),
        (r#"{"other":1,"other":2}"#, Fault::Duplicate, "a field is given twice"),
        (r#"{"userMap":{"a":1,"a":2}}"#, Fault::Duplicate, "a field is given twice at `userMap`"),
        (r#"{"plainText":"x""#, Fault::Syntax, "not JSON: line 1, column 16"),
        (r#"{"plainText":"hunter2","innerItems":[]} x"#, Fault::Syntax, "not JSON: line 1, column 41"),
        (r#"["x",2,[]]"#, Fault::Shape, "expected an object"),
        (r#""hunter2, expected hunter2""#, Fault::Shape, "expected an object"),
        ("null", Fault::Shape, "expected an object"),
        ("", Fault::Shape, "missing field `plainText`"),
        (" \n", Fault::Syntax, "not JSON: line 2, column 0"),
    ] {
        let error = from_slice_any_case::<Outer>(body.as_bytes()).unwrap_err();
        assert_eq!((error.fault, error.to_string().as_str()), (fault, message), "{body}");
    }
}

#[test]
fn nesting_beyond_the_limit_is_refused_wherever_it_stands() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for field in ["freeForm", "unknown"] {
        let body = |levels| format!(r#"{{"plainText":"x","innerItems":[],"{field}":{}}}"#, nested(levels));
        assert!(from_slice_any_case::<Outer>(body(crate::limits::JSON_DEPTH - 1).as_bytes()).is_ok());
        let error = from_slice_any_case::<Outer>(body(crate::limits::JSON_DEPTH).as_bytes()).unwrap_err();
        assert_eq!(error.fault, Fault::TooDeep);
    }
    assert!(from_slice_any_case::<Outer>(nested(100_000).as_bytes()).is_err());
}

#[test]
fn words_bind_in_any_case_and_unknown_ones_are_refused() {
    let read = |text: &str| from_slice_any_case::<EncryptRequest>(text.as_bytes()).map(|body| body.encoding);
    assert_eq!(read(r#"{"Plaintext":"x","Encoding":"UTF8"}"#).unwrap().unwrap().as_str(), "utf8");
    let error = read(r#"{"plaintext":"x","encoding":"hunter2"}"#).unwrap_err();
    assert_eq!(error.to_string(), "expected one of: utf8 base64 at `encoding`");
    let error = read(r#"{"plaintext":"x","keyId":"hunter2"}"#).unwrap_err();
    assert_eq!(error.to_string(), "invalid value at `keyId`");
}

#[test]
fn a_query_binds_in_every_casing() {
    for query in
        ["pageSize=7&keyType=signing&allVersions=true", "page_size=7&KEY_TYPE=Signing&AllVersions=TRUE&x=1&page="]
    {
        let list: ListKeys = from_query_any_case(query).unwrap();
        assert_eq!(
            (list.page_size, list.key_type, list.all_versions, list.page),
            (Some(7), Some(KeyType::Signing), Some(true), None)
        );
    }
    for (query, message) in [
        ("pageSize=7&page_size=8", "a field is given twice at `pageSize`"),
        ("pageSize=-1", "expected a whole number that is not negative at `pageSize`"),
        ("allVersions=maybe", "expected true or false at `allVersions`"),
        ("keyType=hunter2", "expected one of: encryption signing hmac at `keyType`"),
        ("search=%zz", "invalid value"),
        ("search=%ff", "invalid value"),
    ] {
        assert_eq!(from_query_any_case::<ListKeys>(query).unwrap_err().to_string(), message);
    }
    assert_eq!(from_query_any_case::<ListKeys>("search=a%20b+c%2Fd").unwrap().search.as_deref(), Some("a b c/d"));
    let from = from_query_any_case::<crate::audit::ListAuditLogs>("from=2026-11-24T03:00:00%2B01:00").unwrap().from;
    assert_eq!(from.map(|at: WireTime| at.to_string()).as_deref(), Some("2026-11-24T02:00:00Z"));
}

#[test]
fn twins_are_written_at_every_level_of_ours_and_none_of_the_users() {
    let written = |casing| serde_json::from_slice::<Value>(&to_vec(&outer(), casing).unwrap()).unwrap();
    assert_eq!(written(Casing::Camel), serde_json::to_value(outer()).unwrap());
    let items = json!([{"maxAccessCount": 1, "max_access_count": 1}]);
    let free = json!({"someKey": {"innerKey": [1]}});
    let map = json!({"userKey": {"deepKey": true}});
    assert_eq!(
        written(Casing::Both),
        json!({
            "plainText": "x", "plain_text": "x", "keyVersion": 2, "key_version": 2, "innerItems": items,
            "inner_items": items, "freeForm": free, "free_form": free, "userMap": map, "user_map": map,
        })
    );
    let pascal = written(Casing::Pascal);
    assert_eq!((&pascal["PlainText"], &pascal["InnerItems"][0]["MaxAccessCount"]), (&json!("x"), &json!(1)));
    assert_eq!(pascal["UserMap"], map);
}

#[derive(serde::Serialize)]
struct Written<T> {
    value: T,
}

fn is_written_plainly<T: serde::Serialize>(value: T) {
    let body = Written { value };
    let plain = serde_json::to_string(&body).unwrap();
    for casing in [Casing::Camel, Casing::Both] {
        assert_eq!(String::from_utf8(to_vec(&body, casing).unwrap()).unwrap(), plain);
    }
}

#[test]
fn texts_are_written_as_a_plain_writer_writes_them() {
    let pem: String = (0..115).map(|_| format!("{}\n", "Zm9v".repeat(16))).collect();
    is_written_plainly(pem);
    let pieces = [
        "",
        "QUJD",
        "a\n",
        "\n",
        "two words\r\n",
        "\"quoted\"",
        "back\\slash",
        "\\n",
        "\u{8}\u{c}\t",
        "\u{0}\u{1f}",
        "größer 𝄞",
    ];
    for piece in pieces.into_iter().chain(["\u{7f}\u{85}\u{2028}", "/", "'"]) {
        for times in [1, 3, 7, 8, 9, 200] {
            is_written_plainly(piece.repeat(times));
            is_written_plainly(format!("{}{piece}", "x".repeat(times)));
        }
    }
    // Every byte at every place of a block.
    for letter in (0..=127).map(char::from) {
        for before in 0..70 {
            is_written_plainly(format!("{}{letter}{}", "b".repeat(before), "a".repeat(40)));
        }
    }
}

#[test]
fn everything_else_is_written_as_a_plain_writer_writes_it() {
    use std::collections::BTreeMap;

    is_written_plainly((true, false, (), None::<u8>, Some("x"), 'ß', '"'));
    is_written_plainly((i8::MIN, u16::MAX, i64::MIN, u64::MAX, 0.1_f32, -0.0, 1e300, f64::NAN, f64::INFINITY));
    is_written_plainly(json!({"a": [], "b": {}, "c": [null, true, -1, 1.5, "x", {"d": [[]]}], "e\n": {"f": {}}}));
    is_written_plainly(BTreeMap::from([(1_u32, "number"), (2, "keys")]));
    is_written_plainly(BTreeMap::from([(true, 1)]));
    is_written_plainly(BTreeMap::<String, u8>::new());
    is_written_plainly(vec![uuid::Uuid::from_u128(7)]);
    is_written_plainly(b"bytes");
    #[derive(serde::Serialize)]
    enum Kind {
        Plain,
        Of(u8),
    }
    is_written_plainly([Kind::Plain, Kind::Of(7)]);
    assert!(to_vec(&BTreeMap::from([(vec![1], 1)]), Casing::Camel).is_err());
}

/// A small deterministic generator: enough to vary bodies, not to keep secrets.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn respelled(&mut self, name: &str) -> String {
        let mut out = String::new();
        for letter in name.chars() {
            if self.below(4) == 0 {
                out.push('_');
            }
            out.push(if self.below(2) == 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() });
        }
        out
    }
}

#[test]
fn any_respelling_of_field_names_reads_as_the_same_body() {
    let mut dice = Dice(1);
    for _ in 0..2_000 {
        let body = serde_json::to_string(&outer()).unwrap();
        let names = ["plainText", "keyVersion", "innerItems", "maxAccessCount", "freeForm", "userMap"];
        let body = names
            .iter()
            .fold(body, |body, name| body.replace(&format!("\"{name}\""), &format!("\"{}\"", dice.respelled(name))));
        assert_eq!(from_slice_any_case::<Outer>(body.as_bytes()).unwrap(), outer(), "{body}");
    }
}

#[test]
fn any_damage_is_read_or_refused_without_a_panic() {
    let mut dice = Dice(2);
    let body = serde_json::to_vec(&outer()).unwrap();
    for _ in 0..20_000 {
        let mut damaged = body.clone();
        for _ in 0..=dice.below(4) {
            let at = usize::try_from(dice.below(damaged.len() as u64)).unwrap();
            match dice.below(3) {
                0 => damaged[at] = u8::try_from(dice.below(256)).unwrap(),
                1 => drop(damaged.remove(at)),
                _ => damaged.insert(at, b"{}[]\",:\\"[usize::try_from(dice.below(8)).unwrap()]),
            }
        }
        // What a plain reader requires and finds, ours finds too; ours refuses more.
        let plain = serde_json::from_slice::<Outer>(&damaged);
        if let (Ok(ours), Ok(plain)) = (from_slice_any_case::<Outer>(&damaged), plain) {
            assert_eq!((ours.plain_text, ours.inner_items), (plain.plain_text, plain.inner_items));
        }
        let _ = std::str::from_utf8(&damaged).map(from_query_any_case::<ListKeys>);
    }
}

/// What JSONTestSuite accepts is read into free JSON the way a plain reader does, except for names that stand twice;
/// what it rejects is refused here too.
#[test]
fn json_test_suite() {
    let cases = include_str!("../../../../tests/vectors/json-parsing/cases.jsonl");
    let mut run = 0;
    for line in cases.lines() {
        let case: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
        let body = base64::engine::general_purpose::STANDARD.decode(&case["bytes_b64"]).unwrap();
        let read = from_slice_any_case::<Value>(&body);
        match case["expect"].as_str() {
            "reject" => assert!(read.is_err() || body.is_empty(), "{}", case["name"]),
            _ => match read {
                Ok(value) => assert_eq!(value, serde_json::from_slice::<Value>(&body).unwrap(), "{}", case["name"]),
                Err(error) => assert_eq!(error.fault, Fault::Duplicate, "{}", case["name"]),
            },
        }
        assert!(from_slice_any_case::<Outer>(&body).is_err(), "{}", case["name"]);
        run += 1;
    }
    assert_eq!(run, 141);
}
