//! How random a text looks: Shannon's entropy.

use std::collections::HashMap;

/// Bits a byte by the counts of characters, so that characters outside ASCII weigh less.
pub(super) fn shannon(text: &str) -> f64 {
    let mut ascii = [0_u32; 128];
    let mut others: HashMap<char, u32> = HashMap::new();
    for character in text.chars() {
        match ascii.get_mut(character as usize) {
            Some(count) => *count += 1,
            None => *others.entry(character).or_default() += 1,
        }
    }
    let length = text.len() as f64;
    let of_count = |count: u32| {
        let share = f64::from(count) / length;
        -share * share.log2()
    };
    let counts = ascii.into_iter().filter(|count| *count > 0);
    counts.chain(others.into_values()).map(of_count).sum()
}

#[cfg(test)]
mod tests {
    use super::shannon;

    #[test]
    fn entropy_is_that_of_the_counts() {
        assert_eq!(shannon(""), 0.0);
        assert_eq!(shannon("aaaa"), 0.0);
        assert_eq!(shannon("abab"), 1.0);
        assert_eq!(shannon("abcdefgh"), 3.0);
        // Two characters in four bytes: 2 * 0.25 * 2.
        assert_eq!(shannon("éè"), 1.0);
    }
}
