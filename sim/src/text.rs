//! Text for people, here and in the command line.

/// `text` as HTML, harmless in an element and in an attribute between double quotes.
pub fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The one of `names` that somebody who wrote `name` probably meant: that is most like it, as a whole or in its part after the
/// last `::`, since people write either.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| {
        let last = candidate.rsplit("::").next().unwrap_or_default();
        let alike = strsim::normalized_damerau_levenshtein;
        alike(candidate, name).max(alike(last, name))
    };
    let likely = names.into_iter().map(|candidate| (likeness(candidate), candidate)).filter(|(it, _)| *it > 0.5);
    likely.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, nearest)| nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_is_suggested_and_nothing_far_from_it() {
        let names = ["main", "server1", "server2", "quorum::linearizable_whatever_fails"];
        for (written, meant) in [
            ("servr2", Some("server2")),
            ("linearizable_whatever_fail", Some("quorum::linearizable_whatever_fails")),
            ("quorum::linearisable", Some("quorum::linearizable_whatever_fails")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
    }

    #[test]
    fn no_text_makes_an_element_or_ends_an_attribute() {
        assert_eq!(html("<a b=\"&lt;\">"), "&lt;a b=&quot;&amp;lt;&quot;&gt;");
    }
}
