"""The tasks that `keyside classify` is measured with."""

import unittest

from pipeline.classification_tasks import changelog_items, cleaned, comment_items, part_of

CHANGELOG = """# Changelog
## 1.0.0
### Added
- a flag ([#12])
  for the width
- **colours** by [me](https://example.org)

### Other
- nothing
#### Fixed
* a crash
  - of a kind
"""

COMMENTS = """
/// Adds two numbers.
/// Both are small.
///
/// ```
/// add(1, 2);
/// ```
fn add() {
    // TODO(me): check
    // for overflow
    // SAFETY: it is not null
    call(); // HACK no comment of its own
    // a plain comment
}
"""


class Items(unittest.TestCase):
    """What is read from a file."""

    def test_a_changelog(self):
        found = [(label, cleaned(item)) for label, item in changelog_items(CHANGELOG)]
        expected = [
            ("Added", "a flag for the width"),
            ("Added", "colours by me"),
            ("Fixed", "a crash"),
        ]
        self.assertEqual(found, expected)

    def test_comments(self):
        found = list(comment_items(COMMENTS))
        expected = [
            ("doc", "Adds two numbers. Both are small."),
            ("TODO", "check for overflow"),
            ("SAFETY", "it is not null"),
        ]
        self.assertEqual(found, expected)

    def test_a_repository_is_in_one_part(self):
        parts = [part_of(f"github.com/a/{number}") for number in range(1_000)]
        self.assertTrue(240 < parts.count("test") < 330, parts.count("test"))
        self.assertTrue(80 < parts.count("dev") < 170, parts.count("dev"))


if __name__ == "__main__":
    unittest.main()
