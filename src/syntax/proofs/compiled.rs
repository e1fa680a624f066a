//! Rust, Go, C, C++ and Java.

use expect_test::expect;

use super::check;

#[test]
fn rust() {
    check(
        "rust",
        "
//! A module.

use std::fmt::Display;

/// A place.
#[derive(Debug)]
pub struct Place {
    x: u32,
    y: u32,
}

struct Unit; // behind it

/// How many.
const LIMIT: usize = 3;

impl Place {
    /// Shows it.
    ///
    /// More of it.
    #[must_use]
    pub fn show<T: Display>(&self, other: &T) -> String {
        let Self { x, .. } = self;
        let n = helper(*x, LIMIT)$0;
        if let Some(found) = n.checked_add(1) {
            return format!(\"{other}\", found);
        }
        Place::new(self.y).name.to_owned()
    }
}

fn helper(x: u32, limit: usize) -> u32 {
    x
}
",
        expect![[r#"
            Function show
                /// Shows it.
                    ///
                    /// More of it.
                    #[must_use]
                    pub fn show<T: Display>(&self, other: &T) -> String {
                        let Self { x, .. } = self;
                        let n = helper(*x, LIMIT);
                        if let Some(found) = n.checked_add(1) {
                            return format!("{other}", found);
                        }
                        Place::new(self.y).name.to_owned()
                    }
            uses must_use Display String helper LIMIT Some checked_add format Place new to_owned
            Type Place
                /// A place.
                #[derive(Debug)]
                pub struct Place
            Type Unit
                struct Unit;
            Constant LIMIT
                /// How many.
                const LIMIT: usize = 3;
            Function show
                /// Shows it.
                ///
                /// More of it.
                #[must_use]
                pub fn show<T: Display>(&self, other: &T) -> String
            Function helper
                fn helper(x: u32, limit: usize) -> u32
        "#]],
    );
}

#[test]
fn go() {
    check(
        "go",
        "
package places

import f \"fmt\"

// Limit is how many.
const Limit = 3

var (
    // a is one.
    a = 1
    b = 2
)

// Place is a place.
type Place struct {
    X, Y int
}

// Show shows it.
func (p *Place) Show(other Other, rest ...string) (string, error) {
    n, err := helper(p.X, Limit)$0
    if err != nil {
        return \"\", f.Errorf(\"no: %w\", err)
    }
    for _, it := range rest {
        n += it.Len()
    }
    return Names[n], nil
}

func helper[T any](x T) T {
    return x
}
",
        expect![[r#"
            Function Show
                // Show shows it.
                func (p *Place) Show(other Other, rest ...string) (string, error) {
                    n, err := helper(p.X, Limit)
                    if err != nil {
                        return "", f.Errorf("no: %w", err)
                    }
                    for _, it := range rest {
                        n += it.Len()
                    }
                    return Names[n], nil
                }
            uses Place Other string error helper Limit f Errorf Len Names
            Constant Limit
                // Limit is how many.
                const Limit = 3
            Constant a
                // a is one.
                a = 1
            Constant b
                b = 2
            Type Place
                // Place is a place.
                type Place
            Function Show
                // Show shows it.
                func (p *Place) Show(other Other, rest ...string) (string, error)
            Function helper
                func helper[T any](x T) T
        "#]],
    );
}

#[test]
fn c() {
    check(
        "c",
        "
#include <stdio.h>

#define LIMIT 3
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A place. */
typedef struct place {
    int x;
    int y;
} place_t;

struct node {
    struct node *next;
};

static const int sizes[] = { 1, 2 };

char *name_of(const place_t *place);

// Shows it.
static char *show(const place_t *place, int rest[]) {
    int n = helper(place->x, MAX(LIMIT, rest[0]))$0, *p = &n;
    struct node *first = NULL;
    return name_of(place);
}
",
        expect![[r#"
            Function show
                // Shows it.
                static char *show(const place_t *place, int rest[]) {
                    int n = helper(place->x, MAX(LIMIT, rest[0])), *p = &n;
                    struct node *first = NULL;
                    return name_of(place);
                }
            uses place_t helper MAX LIMIT node name_of
            Macro LIMIT
                #define LIMIT 3
            Macro MAX
                #define MAX(a, b) ((a) > (b) ? (a) : (b))
            Type place_t
                /* A place. */
                typedef struct place {
                    int x;
                    int y;
                } place_t;
            Type place
                /* A place. */
                typedef struct place
            Type node
                struct node {
                    struct node *next;
                };
            Constant sizes
                static const int sizes[] = { 1, 2 };
            Function name_of
                char *name_of(const place_t *place);
            Function show
                // Shows it.
                static char *show(const place_t *place, int rest[])
        "#]],
    );
}

#[test]
fn cpp() {
    check(
        "cpp",
        "
namespace places {

/// A place.
template <typename T>
class Place : public Base<T> {
public:
    explicit Place(T x) : x_(x) {}
    std::string name() const;

private:
    T x_;
};

using Names = std::vector<std::string>;

// Shows it.
template <typename T>
std::string Place<T>::show(const Names& names, int limit) {
    auto n = helper<T>(x_, limit)$0;
    for (const auto& it : names) {
        n.append(it);
    }
    return std::move(n);
}

}  // namespace places
",
        expect![[r#"
            Function show
                // Shows it.
                template <typename T>
                std::string Place<T>::show(const Names& names, int limit) {
                    auto n = helper<T>(x_, limit);
                    for (const auto& it : names) {
                        n.append(it);
                    }
                    return std::move(n);
                }
            uses std string Names helper x_ append move
            Module places
                namespace places
            Type Place
                /// A place.
                template <typename T>
                class Place : public Base<T>
            Function Place
                explicit Place(T x) : x_(x)
            Function name
                std::string name() const;
            Type Names
                using Names = std::vector<std::string>;
            Function show
                // Shows it.
                template <typename T>
                std::string Place<T>::show(const Names& names, int limit)
        "#]],
    );
}

#[test]
fn java() {
    check(
        "java",
        "
package places;

/** A place. */
public class Place extends Base {
    private static final int LIMIT = 3;

    /**
     * Shows it.
     */
    @Override
    public String show(Other other, String... rest) throws IOException {
        int n = helper(this.x, LIMIT)$0;
        for (String it : rest) {
            n += it.length();
        }
        return rest.stream().map(row -> row.trim()).collect(Collectors.joining());
    }

    enum Side { LEFT, RIGHT }
}
",
        expect![[r#"
            Function show
                /**
                     * Shows it.
                     */
                    @Override
                    public String show(Other other, String... rest) throws IOException {
                        int n = helper(this.x, LIMIT);
                        for (String it : rest) {
                            n += it.length();
                        }
                        return rest.stream().map(row -> row.trim()).collect(Collectors.joining());
                    }
            uses Override String Other IOException helper LIMIT length stream map trim collect Collectors joining
            Type Place
                /** A place. */
                public class Place extends Base
            Constant LIMIT
                private static final int LIMIT = 3;
            Function show
                /**
                 * Shows it.
                 */
                @Override
                public String show(Other other, String... rest) throws IOException
            Type Side
                enum Side { LEFT, RIGHT }
        "#]],
    );
}
