//! Orders, and what becomes of them.

use std::fmt;

use crate::warehouse::{Warehouse, WarehouseError};

/// One line of an order.
#[derive(Debug, Clone)]
pub struct OrderLine {
    pub article_number: u32,
    pub quantity: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    Open,
    Paid,
    Shipped,
    Cancelled,
}

pub struct Order {
    id: u64,
    customer: String,
    lines: Vec<OrderLine>,
    state: OrderState,
}

impl Order {
    pub fn new(id: u64, customer: &str) -> Self {
        Self {
            id,
            customer: customer.to_owned(),
            lines: Vec::new(),
            state: OrderState::Open,
        }
    }

    pub fn add(&mut self, article_number: u32, quantity: u32) {
        match self.lines.iter_mut().find(|line| line.article_number == article_number) {
            Some(line) => line.quantity += quantity,
            None => self.lines.push(OrderLine { article_number, quantity }),
        }
    }

    /// The sum over all lines, in cents.
    pub fn total(&self, warehouse: &Warehouse) -> Result<u64, WarehouseError> {
        let mut total = 0;
        for line in &self.lines {
            let article = warehouse
                .article(line.article_number)
                .ok_or(WarehouseError::UnknownArticle(line.article_number))?;
            total += article.price_cents * u64::from(line.quantity);
        }
        Ok(total)
    }

    pub fn can_ship(&self, warehouse: &Warehouse) -> bool {
        self.state == OrderState::Paid
            && self.lines.iter().all(|line| warehouse.available(line.article_number) >= line.quantity)
    }

    pub fn cancel(&mut self) -> bool {
        if self.state == OrderState::Shipped {
            return false;
        }
        self.state = OrderState::Cancelled;
        true
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "order {} of {}", self.id, self.customer)?;
        for line in &self.lines {
            writeln!(f, "  {} x {}", line.quantity, line.article_number)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_article_are_joined() {
        let mut order = Order::new(1, "Ada");
        order.add(7, 2);
        order.add(7, 3);
        assert_eq!(order.lines.len(), 1);
        assert_eq!(order.lines[0].quantity, 5);
    }

    #[test]
    fn an_unknown_article_has_no_price() {
        let mut order = Order::new(2, "Grace");
        order.add(99, 1);
        let total = order.total(&Warehouse::default());
        assert_eq!(total, Err(WarehouseError::UnknownArticle(99)));
    }
}
