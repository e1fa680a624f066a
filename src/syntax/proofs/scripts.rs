//! Python, JavaScript, TypeScript and Lua.

use expect_test::expect;

use super::check;

#[test]
fn python() {
    check(
        "python",
        "
import os

LIMIT = 3

class Place(Base):
    \"\"\"A place.\"\"\"

    # Cached, because it is slow.
    @property
    @cached
    def show(self, other: Other, *rest, key=None) -> str:
        \"\"\"Shows it.\"\"\"
        n = helper(self.x, LIMIT)$0
        for a, b in rest:
            with open(os.path.join(a, b)) as file:
                n += file.read(limit=key)
        return [it for it in other if it]

def helper(x):
    return x
",
        expect![[r#"
            Function show
                # Cached, because it is slow.
                    @property
                    @cached
                    def show(self, other: Other, *rest, key=None) -> str:
                        """Shows it."""
                        n = helper(self.x, LIMIT)
                        for a, b in rest:
                            with open(os.path.join(a, b)) as file:
                                n += file.read(limit=key)
                        return [it for it in other if it]
            uses property cached Other str helper LIMIT open os join read
            Constant LIMIT
                LIMIT = 3
            Type Place
                class Place(Base):
                    """A place."""
            Function show
                # Cached, because it is slow.
                @property
                @cached
                def show(self, other: Other, *rest, key=None) -> str:
                    """Shows it."""
            Function helper
                def helper(x):
        "#]],
    );
}

const ECMA: &str = "
import { readFile, writeFile as write } from 'fs';

const LIMIT = 3;

/** Shows it. */
export const show = async({ x, y: place }, ...rest) => {
  const n = helper(x, LIMIT)$0;
  for (const it of rest) {
    await write(it, place.toString());
  }
  return { n, Base };
};

/** A place. */
export class Place extends Base {
  /** Of it. */
  name(other) {
    return this.names.get(other);
  }
}

function helper(x) {
  return x;
}
";

#[test]
fn javascript() {
    check(
        "javascript",
        ECMA,
        expect![[r#"
            Function show
                /** Shows it. */
                export const show = async({ x, y: place }, ...rest) => {
                  const n = helper(x, LIMIT);
                  for (const it of rest) {
                    await write(it, place.toString());
                  }
                  return { n, Base };
                };
            uses helper LIMIT write toString Base
            Constant LIMIT
                const LIMIT = 3;
            Function show
                /** Shows it. */
                export const show = async({ x, y: place }, ...rest) =>
            Type Place
                /** A place. */
                export class Place extends Base
            Function name
                /** Of it. */
                name(other)
            Function helper
                function helper(x)
        "#]],
    );
}

#[test]
fn jsx() {
    check(
        "javascriptreact",
        "
export default function List({ items }) {
  return <ul className=\"a\">{items.map((it) => <Row key={it.id} {...it} />)}</ul>$0;
}
",
        expect![[r#"
            Function List
                export default function List({ items }) {
                  return <ul className="a">{items.map((it) => <Row key={it.id} {...it} />)}</ul>;
                }
            uses ul map Row
            Function List
                export default function List({ items })
        "#]],
    );
}

#[test]
fn typescript() {
    check(
        "typescript",
        "
// What it is.
export interface Place<T> {
  x: number;
  name(other: T): string;
}

type Names = Map<string, Place<number>>;

export enum Side {
  Left,
}

declare function outside(x: number): Names;

@Injectable()
export abstract class Service {
  constructor(private readonly names: Names) {}

  // Finds it.
  @Cached({ size: LIMIT })
  find(key: string, side?: Side): Promise<Place<number> | undefined> {
    const found = this.names.get(key)$0 as Place<number>;
    return found ?? outside(1).get(key);
  }
}

namespace Inner {
  export const LIMIT = 3;
}
",
        expect![[r#"
            Function find
                // Finds it.
                  @Cached({ size: LIMIT })
                  find(key: string, side?: Side): Promise<Place<number> | undefined> {
                    const found = this.names.get(key) as Place<number>;
                    return found ?? outside(1).get(key);
                  }
            uses Cached LIMIT Side Promise Place get outside
            Type Place
                // What it is.
                export interface Place<T>
            Function name
                name(other: T): string
            Type Names
                type Names = Map<string, Place<number>>;
            Type Side
                export enum Side {
                  Left,
                }
            Function outside
                declare function outside(x: number): Names;
            Type Service
                @Injectable()
                export abstract class Service
            Function constructor
                constructor(private readonly names: Names)
            Function find
                // Finds it.
                @Cached({ size: LIMIT })
                find(key: string, side?: Side): Promise<Place<number> | undefined>
            Module Inner
                namespace Inner {
                  export const LIMIT = 3;
                }
            Constant LIMIT
                export const LIMIT = 3;
        "#]],
    );
}

#[test]
fn tsx() {
    check(
        "typescriptreact",
        "
type Props = { items: Item[] };

export const List: React.FC<Props> = ({ items }) => {
  const [open, setOpen] = useState<boolean>(false);
  return <Rows open={open} onClick={() => setOpen(!open)}>{items.length}</Rows>$0;
};
",
        expect![[r#"
            Function List
                export const List: React.FC<Props> = ({ items }) => {
                  const [open, setOpen] = useState<boolean>(false);
                  return <Rows open={open} onClick={() => setOpen(!open)}>{items.length}</Rows>;
                };
            uses React FC Props useState Rows
            Type Props
                type Props = { items: Item[] };
            Function List
                export const List: React.FC<Props> = ({ items }) =>
        "#]],
    );
}

#[test]
fn lua() {
    check(
        "lua",
        "
local fs = require(\"fs\")
local M = {}

local limit = 3

-- Shows it.
function M.show(self, other, ...)
  local n = helper(self.x, limit)$0
  for key, it in pairs(other) do
    n = n + fs.read(it):len()
  end
  return n
end

local function helper(x)
  return x
end

M.later = function(y)
  return y
end

return M
",
        expect![[r#"
            Function show
                -- Shows it.
                function M.show(self, other, ...)
                  local n = helper(self.x, limit)
                  for key, it in pairs(other) do
                    n = n + fs.read(it):len()
                  end
                  return n
                end
            uses helper limit pairs fs read len
            Constant fs
                local fs = require("fs")
            Constant M
                local M = {}
            Constant limit
                local limit = 3
            Function show
                -- Shows it.
                function M.show(self, other, ...)
            Function helper
                local function helper(x)
            Function later
                M.later = function(y)
        "#]],
    );
}
