//! What lies where.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Article {
    pub number: u32,
    pub name: String,
    pub price_cents: u64,
}

#[derive(Debug, Default)]
pub struct Warehouse {
    articles: BTreeMap<u32, Article>,
    stock: BTreeMap<u32, u32>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum WarehouseError {
    UnknownArticle(u32),
    NotEnough { number: u32, wanted: u32, available: u32 },
}

impl Warehouse {
    pub fn register_article(&mut self, article: Article) {
        self.stock.entry(article.number).or_insert(0);
        self.articles.insert(article.number, article);
    }

    pub fn register_delivery(&mut self, article_number: u32, quantity: u32) -> Result<(), WarehouseError> {
        let count = self
            .stock
            .get_mut(&article_number)
            .ok_or(WarehouseError::UnknownArticle(article_number))?;
        *count += quantity;
        Ok(())
    }

    pub fn available(&self, article_number: u32) -> u32 {
        self.stock.get(&article_number).copied().unwrap_or(0)
    }

    pub fn article(&self, article_number: u32) -> Option<&Article> {
        self.articles.get(&article_number)
    }
}
