//! Changes of a snapshot's tags.

/// What becomes of the tags of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagChange {
    /// These replace all others; nothing here means that they stay.
    pub set: Vec<String>,
    /// These are added unless they are there.
    pub add: Vec<String>,
    /// Of each of these one is taken away.
    pub remove: Vec<String>,
}

impl TagChange {
    /// Changes tags; says whether that was a change, as setting them always is.
    pub fn apply(&self, tags: &mut Vec<String>) -> bool {
        if !self.set.is_empty() {
            tags.clone_from(&self.set);
            return true;
        }
        let added = add_tags(tags, &self.add);
        let mut removed = false;
        for tag in &self.remove {
            if let Some(place) = tags.iter().position(|other| other == tag) {
                tags.swap_remove(place); // the last takes its place, as the peer does it
                removed = true;
            }
        }
        added || removed
    }
}

/// Adds those that are not there; says whether any was added.
fn add_tags(tags: &mut Vec<String>, new: &[String]) -> bool {
    let before = tags.len();
    for tag in new {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags.len() > before
}
