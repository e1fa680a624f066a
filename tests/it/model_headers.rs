//! GGUF files with anything in their headers: none ends keyside, whoever reads them.

use keyside::lm::backend::embedded::MODELS;
use keyside::lm::gguf_header::GgufHeader;
use keyside::stdx::random::Random;

use crate::gguf_file::GgufFile;
use crate::support::{TempFolder, keyside, run, text};

/// A model that llama.cpp loads.
static BYTES: &[u8] = MODELS[0].bytes;

/// Bytes that lie at the edges of what lengths and kinds can be.
const EDGES: &[u8] = &[0, 1, 8, 9, 12, 127, 128, 255];

/// Changes one to eight places of the first `n_bytes`, or cuts the file there.
fn mutated(bytes: &[u8], n_bytes: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(n_bytes.min(bytes.len()));
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = EDGES[random.below(EDGES.len())],
            2 => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(EDGES[random.below(EDGES.len())]);
            }
            3 => drop(bytes.splice(at..at, [0; 4])),
            _ => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
        }
    }
    if random.below(8) == 0 {
        bytes.truncate(random.below(n_bytes.min(bytes.len())));
    }
    bytes
}

#[test]
fn a_hundred_thousand_headers_are_read_or_refused() {
    let random = &mut Random::new(20);
    let whole = GgufFile::default().bytes();
    let (mut n_read, mut n_refused) = (0, 0);
    for _ in 0..100_000 {
        match GgufHeader::read(&mutated(&whole, whole.len(), random)[..]) {
            // What comes of it is computed without an overflow.
            Ok(header) => {
                n_read += 1;
                header.resident_bytes(u64::MAX);
                header.is_language_model();
            }
            Err(fault) => {
                n_refused += 1;
                assert!(!fault.to_string().is_empty());
            }
        }
    }
    assert!(n_read > 1_000 && n_refused > 10_000, "{n_read} read, {n_refused} refused");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn what_llama_cpp_would_die_of_is_tried_in_a_process_of_its_own() {
    let random = &mut Random::new(21);
    let (own, home) = (TempFolder::new(), TempFolder::new());
    let path = home.0.join("model.gguf");
    let mut ends = [0; 2];
    for n in 0..60 {
        // The head of the file, where kinds and lengths are, and the metadata behind the tokens.
        let bytes = mutated(BYTES, if n % 2 == 0 { 2_000 } else { 300_000 }, random);
        std::fs::write(&path, bytes).unwrap();
        let mut command = keyside(&own.0, &["model", "use", "model.gguf"]);
        command.env("HOME", &home.0).current_dir(&home.0);
        let output = run(command, "");
        let said = text(&output.stderr);
        match output.status.code() {
            Some(code @ 0..=1) => ends[code as usize] += 1,
            _ => panic!("{n}: {} {said}", output.status),
        }
        assert!(!said.contains("please report"), "{n}: {said}");
    }
    assert!(ends[1] > 5, "{ends:?}");
}
