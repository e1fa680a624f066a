//! What a request can cost, what it has cost, and how many tokens a text has before anybody counts.

pub mod tariff;
pub mod token_estimate;
