; JavaScript, and what TypeScript has of it.

; Items, with what their heads do without.
(function_declaration name: (_) @name body: (_) @body) @item.function
(generator_function_declaration name: (_) @name body: (_) @body) @item.function
(method_definition name: (_) @name body: (_) @body) @item.function
(class_declaration name: (_) @name body: (_) @body) @item.type
(lexical_declaration . (variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) .) @item.function
(variable_declaration . (variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) .) @item.function
(program (lexical_declaration . (variable_declarator name: (identifier) @name value: (_) @body) .) @item.constant)
(export_statement (lexical_declaration . (variable_declarator name: (identifier) @name value: (_) @body) .) @item.constant)

(export_statement declaration: (_) @inner) @around

; What belongs to the item that follows.
[(comment) (decorator)] @lead

; What binds a name.
(variable_declarator name: (identifier) @definition.name)
(arrow_function parameter: (identifier) @definition.name)
(assignment_pattern left: (identifier) @definition.name)
(rest_pattern (identifier) @definition.name)
(array_pattern (identifier) @definition.name)
(pair_pattern value: (identifier) @definition.name)
(shorthand_property_identifier_pattern) @definition.name
(for_in_statement left: (identifier) @definition.name)
(catch_clause parameter: (identifier) @definition.name)
(import_specifier !alias name: (identifier) @definition.name)
(import_specifier alias: (identifier) @definition.name)
(import_clause (identifier) @definition.name)
(namespace_import (identifier) @definition.name)
(function_expression name: (identifier) @definition.name)

; What uses one: names, and methods where they are called.
(identifier) @reference.name
(shorthand_property_identifier) @reference.name
(call_expression function: (member_expression property: (property_identifier) @reference.name))
