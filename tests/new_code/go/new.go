package library

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Loan is a copy of a book that somebody has at home.
type Loan struct {
	ISBN   string    `json:"isbn"`
	Reader string    `json:"reader"`
	Due    time.Time `json:"due"`
}

type Desk struct {
	store *Store
	loans []Loan
	now   func() time.Time
}

func NewDesk(store *Store) *Desk {
	return &Desk{store: store, now: time.Now}
}

// Lend hands out a copy for four weeks.
func (d *Desk) Lend(isbn, reader string) (*Loan, error) {
	book, err := d.store.Find(isbn)
	if err != nil {
		return nil, fmt.Errorf("lend %s: %w", isbn, err)
	}
	if book.Copies <= d.lent(isbn) {
		return nil, fmt.Errorf("all %d copies of %q are lent", book.Copies, book.Title)
	}
	loan := Loan{ISBN: isbn, Reader: reader, Due: d.now().AddDate(0, 0, 28)}
	d.loans = append(d.loans, loan)
	return &loan, nil
}

func (d *Desk) lent(isbn string) int {
	count := 0
	for _, loan := range d.loans {
		if loan.ISBN == isbn {
			count++
		}
	}
	return count
}

// Overdue returns the loans that should have come back.
func (d *Desk) Overdue() []Loan {
	var overdue []Loan
	for _, loan := range d.loans {
		if loan.Due.Before(d.now()) {
			overdue = append(overdue, loan)
		}
	}
	return overdue
}

func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	var request struct {
		ISBN   string `json:"isbn"`
		Reader string `json:"reader"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	loan, err := d.Lend(request.ISBN, request.Reader)
	if errors.Is(err, ErrBookNotFound) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(loan)
}
