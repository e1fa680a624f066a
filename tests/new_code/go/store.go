package library

import (
	"errors"
	"sync"
	"time"
)

var ErrBookNotFound = errors.New("book not found")

type Book struct {
	ISBN      string
	Title     string
	Author    string
	Published time.Time
	Copies    int
}

type Store struct {
	mu    sync.RWMutex
	books map[string]*Book
}

func NewStore() *Store {
	return &Store{books: make(map[string]*Book)}
}

func (s *Store) Add(book *Book) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books[book.ISBN] = book
}

func (s *Store) Find(isbn string) (*Book, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	book, ok := s.books[isbn]
	if !ok {
		return nil, ErrBookNotFound
	}
	return book, nil
}
