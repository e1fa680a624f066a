//! Edits written down, for `patch` and `git apply`, when the document is not any more what they
//! were made for.

use std::time::Duration;

use similar::TextDiff;

const TIMEOUT: Duration = Duration::from_millis(200);

/// What makes `new` of `old`, as a unified difference of the file at `path`, which is relative to
/// where it will be applied. Empty where nothing has changed.
pub fn unified_diff(path: &str, old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let diff =
        TextDiff::configure().timeout(TIMEOUT).newline_terminated(true).diff_slices(&old, &new);
    let path: String = path.chars().map(|c| if c == '\\' { '/' } else { c }).collect();
    let path = path.trim_start_matches('/').replace(char::is_control, "?");
    diff.unified_diff()
        .context_radius(3)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn as_patch_reads_it() {
        let old = "a\nb\nc\nd\ne\nf\r\ng";
        let new = "a\nb\nc\nx\ne\nf\r\ng\n";
        expect![[r#"
            --- a/src/a b.rs
            +++ b/src/a b.rs
            @@ -1,7 +1,7 @@
             a
             b
             c
            -d
            +x
             e
             f<CR>
            -g
            \ No newline at end of file
            +g
        "#]]
        .assert_eq(&unified_diff("src\\a b.rs", old, new).replace('\r', "<CR>"));
        assert_eq!(unified_diff("a.rs", old, old), "");
    }

    #[test]
    fn a_path_stays_on_its_line() {
        let text = unified_diff("/a\n+++ b/other", "a\n", "b\n");
        assert_eq!(
            text.lines().take(2).collect::<Vec<_>>(),
            ["--- a/a?+++ b/other", "+++ b/a?+++ b/other"]
        );
    }
}
