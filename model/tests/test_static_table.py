"""The static table: its words are those of the program, and the file has what its card says."""

import os
import struct
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Words(unittest.TestCase):
    """What both sides cut alike."""

    def test_words_are_those_of_the_program(self):
        from pipeline.static_table import words

        # The same line is in src/classify/static_table.rs.
        found = words("Add `AeadInPlace::max_len`, Größe of utf8Text!")
        self.assertEqual(
            " ".join(found), "add ` aead in place : : max _ len ` , größe of utf8 text !"
        )


class File(unittest.TestCase):
    """The file in the repository."""

    def test_the_file_is_as_its_card_says(self):
        with open(f"{HERE}/../static-table.bin", "rb") as file:
            data = file.read()
        with open(f"{HERE}/../STATIC_TABLE.md") as file:
            card = file.read()
        self.assertEqual(data[:16], b"keyside-static-1")
        n_rows, n_dimensions = struct.unpack("<II", data[16:24])
        self.assertIn(f"| rows | {n_rows:,}:", card)
        self.assertIn(f"| size | {len(data):,} bytes |", card)
        at = 24
        for _ in range(n_rows):
            at += 1 + data[at]
        self.assertEqual(len(data), at + n_rows * (4 + n_dimensions))


if __name__ == "__main__":
    unittest.main()
