; What JavaScript has beside `ecma.scm`: its parameters are bare names.

(formal_parameters (identifier) @definition.name)
