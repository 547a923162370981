//! The images of a pod: every container of every list, and every volume that is an image.

use std::str::FromStr as _;

use artifact::reference::Reference;
use serde_json::Value;

/// An image that would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where its name stands in the object, as a JSON pointer.
    pub pointer: String,
    /// What it would be.
    pub role: Role,
    /// The name of the container or volume, as written.
    pub name: String,
    /// The image as written.
    pub text: String,
    /// What that means, or why it means nothing.
    pub reference: Result<Reference, String>,
}

/// What an image would be in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A container.
    Container,
    /// One that has to end before the others begin.
    Init,
    /// One that begins before the others and stays (`restartPolicy: Always`).
    Sidecar,
    /// One that is put into a pod that runs.
    Ephemeral,
    /// Files alone.
    Volume,
}

/// The lists of containers that are known, and what they hold.
const LISTS: &[(&str, Role)] =
    &[("containers", Role::Container), ("initContainers", Role::Init), ("ephemeralContainers", Role::Ephemeral)];

/// Nobody's pod has that many; each may cost a question to a registry.
const MOST_IMAGES: usize = 512;
const LONGEST_IMAGE: usize = 1_024;

impl Role {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Init => "init container",
            Self::Sidecar => "sidecar",
            Self::Ephemeral => "ephemeral container",
            Self::Volume => "image volume",
        }
    }
}

impl Found {
    /// Whether this is the same image at the same place of another version of the object.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.role == other.role && self.name == other.name && self.text == other.text && !self.name.is_empty()
    }
}

/// The images of the pods that stand at these places of an object.
pub fn images(object: &Value, places: &[String]) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for place in places {
        let pod = object.pointer(place).filter(|pod| pod.is_object());
        images_of(pod.ok_or_else(|| format!("there is no pod at {place}"))?, place, &mut found)?;
    }
    if found.len() > MOST_IMAGES {
        return Err(format!("it has {} images, and more than {MOST_IMAGES} are not judged", found.len()));
    }
    Ok(found)
}

fn images_of(pod: &Value, place: &str, found: &mut Vec<Found>) -> Result<(), String> {
    if let Some(list) = unknown_list(pod) {
        return Err(format!("the pod at {place} has a list {list:?} that is not known"));
    }
    if list(pod, place, "containers")?.is_empty() {
        return Err(format!("the pod at {place} has no containers"));
    }
    for (name, role) in LISTS {
        for (index, container) in list(pod, place, name)?.iter().enumerate() {
            let is_sidecar =
                *role == Role::Init && container.get("restartPolicy").is_some_and(|policy| policy == "Always");
            let role = if is_sidecar { Role::Sidecar } else { *role };
            found.push(image(container.get("image"), role, container, format!("{place}/{name}/{index}/image"))?);
        }
    }
    for (index, volume) in list(pod, place, "volumes")?.iter().enumerate() {
        if let Some(source) = volume.get("image").filter(|source| !source.is_null()) {
            let pointer = format!("{place}/volumes/{index}/image/reference");
            found.push(image(source.get("reference"), Role::Volume, volume, pointer)?);
        }
    }
    Ok(())
}

/// A list of containers of a later Kubernetes: what is in it would run, and nobody would have looked.
fn unknown_list(pod: &Value) -> Option<&str> {
    let members = pod.as_object()?.keys().map(String::as_str);
    let is_list = |name: &&str| name.to_ascii_lowercase().ends_with("containers");
    members.filter(is_list).find(|name| !LISTS.iter().any(|(known, _)| known == name))
}

fn list<'p>(pod: &'p Value, place: &str, name: &str) -> Result<&'p [Value], String> {
    match pod.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) if items.iter().all(Value::is_object) => Ok(items),
        Some(_) => Err(format!("{place}/{name} is no list of objects")),
    }
}

fn image(written: Option<&Value>, role: Role, of: &Value, pointer: String) -> Result<Found, String> {
    let name = of.get("name").and_then(Value::as_str).unwrap_or_default().chars().take(253).collect();
    let text = match written {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(format!("{pointer} is no string")),
    };
    let reference = match text {
        "" => Err("it names no image".to_owned()),
        text if text.len() > LONGEST_IMAGE => Err("its name is too long".to_owned()),
        text => Reference::from_str(text).map_err(|error| error.to_string()),
    };
    let text = text.chars().take(LONGEST_IMAGE).collect();
    Ok(Found { pointer, role, name, text, reference })
}
