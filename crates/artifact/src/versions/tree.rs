//! YAML as a tree whose values know their places: what a versions file needs, and nothing that could make it mean two things.
//! Aliases, tags, merge keys, repeated names and a second document are refused.

use std::collections::HashSet;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::NotVersions;

const MOST_NESTED: usize = 16;
const MOST_NODES: usize = 200_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: usize,
    pub column: usize,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Mapping),
}

/// A single value, as text: `1.10` is a version and not a number.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub line: usize,
    pub column: usize,
    pub text: String,
    pub place: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub members: Vec<(Scalar, Node)>,
    pub is_flow: bool,
}

impl Node {
    pub fn wrong(&self, what: impl Into<String>) -> NotVersions {
        NotVersions::Written { line: self.line, column: self.column, what: what.into() }
    }

    pub fn is_scalar(&self) -> bool {
        matches!(self.value, Value::Scalar(_))
    }
}

impl Scalar {
    pub fn wrong(&self, what: impl Into<String>) -> NotVersions {
        NotVersions::Written { line: self.line, column: self.column, what: what.into() }
    }
}

impl Mapping {
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members.iter().find(|(known, _)| known.text == name).map(|(_, value)| value)
    }

    pub fn scalar(&self, name: &str) -> Option<&Scalar> {
        match self.get(name) {
            Some(Node { value: Value::Scalar(scalar), .. }) => Some(scalar),
            _ => None,
        }
    }
}

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Node, NotVersions> {
    let mut builder = Builder { parser: Parser::new_from_str(text), nodes: 0 };
    let (event, span) = loop {
        match builder.next()? {
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (Event::StreamEnd, span) => return Err(wrong(&span, "it names no image")),
            found => break found,
        }
    };
    let root = builder.node(event, span, 0)?;
    loop {
        match builder.next()? {
            (Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => return Ok(root),
            (_, span) => return Err(wrong(&span, "a versions file is one document")),
        }
    }
}

struct Builder<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), NotVersions> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let at = error.marker();
                Err(NotVersions::Written { line: at.line(), column: at.col() + 1, what: error.info() })
            }
            None => Err(NotVersions::Written { line: 1, column: 1, what: "it ends too early".to_owned() }),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, nested: usize) -> Result<Node, NotVersions> {
        self.nodes += 1;
        if nested > MOST_NESTED || self.nodes > MOST_NODES {
            return Err(wrong(&span, "it is nested too deeply, or has too many values"));
        }
        if event.tag().is_some() || event.anchor_id().is_some() || event.is_alias() {
            return Err(wrong(&span, "tags, anchors and aliases are not read: write the value"));
        }
        let value = match event {
            Event::Scalar(text, style, ..) => Value::Scalar(scalar(&text, style, &span)?),
            Event::SequenceStart(..) => Value::Sequence(self.sequence(nested)?),
            Event::MappingStart(style, ..) => Value::Mapping(self.mapping(style, nested)?),
            _ => return Err(wrong(&span, "a value is missing")),
        };
        Ok(Node { line: span.start.line(), column: span.start.col() + 1, value })
    }

    fn sequence(&mut self, nested: usize) -> Result<Vec<Node>, NotVersions> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, nested + 1)?),
            }
        }
    }

    fn mapping(&mut self, style: StructureStyle, nested: usize) -> Result<Mapping, NotVersions> {
        let mut names = HashSet::new();
        let mut members = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Mapping { members, is_flow: style == StructureStyle::Flow });
            }
            let Node { value: Value::Scalar(name), .. } = self.node(event, span, nested + 1)? else {
                return Err(wrong(&span, "a name is a single value"));
            };
            if name.text == "<<" {
                return Err(name.wrong("merge keys are not read: write the values"));
            }
            if !names.insert(name.text.clone()) {
                return Err(name.wrong(format!("{:?} stands twice", name.text)));
            }
            let (event, span) = self.next()?;
            members.push((name, self.node(event, span, nested + 1)?));
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, span: &Span) -> Result<Scalar, NotVersions> {
    let is_plain = style == ScalarStyle::Plain;
    if is_plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Err(wrong(span, "a value is missing"));
    }
    if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
        return Err(wrong(span, "a version is written on one line"));
    }
    let place = span.byte_range().ok_or_else(|| wrong(span, "it has no place"))?;
    Ok(Scalar { line: span.start.line(), column: span.start.col() + 1, text: text.to_owned(), place })
}

fn wrong(span: &Span, what: &str) -> NotVersions {
    NotVersions::Written { line: span.start.line(), column: span.start.col() + 1, what: what.to_owned() }
}
