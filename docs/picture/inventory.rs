use std::collections::HashMap;

/// What is in stock, and what happened to it.
pub struct Inventory {
    items: HashMap<String, u32>,
    history: Vec<String>,
}

impl Inventory {
    pub fn add(&mut self, name: &str, quantity: u32) {
        let entry = self.items.entry(name.to_string()).or_insert(0);
        *entry += quantity;
        self.history.push(format!("added {quantity} of {name}"));
    }

    pub fn remove(&mut self, name: &str, quantity: u32) -> Result<(), String> {
        let entry = self.items.entry(name.to_string()).or_insert(0);
        if *entry < quantity {
            return Err(format!("only {entry} of {name}"));
        }
        *entry -= quantity;
        self.history.push(format!("removed {quantity} of {name}"));
        Ok(())
    }
}
