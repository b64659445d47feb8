//! The page: markup, style, script and data in one file.

use super::Timeline;
use crate::text;

impl Timeline {
    /// A page that shows the timeline: one file that refers to no other, and says so to the browser.
    pub fn to_html(&self) -> String {
        format!(
            include_str!("page.html"),
            title = text::html(&format!("{} · seed {}", self.name, self.seed)),
            style = include_str!("page.css"),
            data = self.to_json(),
            axis = include_str!("axis.js"),
            picture = include_str!("picture.js"),
            page = include_str!("page.js"),
            selftest = include_str!("selftest.js"),
        )
    }

    /// The data of the page, as JSON that is harmless in HTML: a script element ends at the first `</script`, wherever it stands,
    /// so that no `<` may be left.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a timeline is plain data").replace('<', "\\u003c")
    }
}
