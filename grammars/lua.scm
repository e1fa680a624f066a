; Items, with what their heads do without.
(function_declaration name: (_) @name body: (_)? @body) @item.function
(assignment_statement (variable_list . name: (_) @name .) (expression_list . value: (function_definition body: (_)? @body) .)) @item.function
(chunk (variable_declaration (assignment_statement (variable_list . name: (identifier) @name .) (expression_list) @body)) @item.constant)
(field name: (identifier) @name value: (function_definition body: (_)? @body)) @item.function

(variable_declaration (assignment_statement) @inner) @around

; What belongs to the item that follows.
(comment) @lead

; What binds a name.
(parameters name: (identifier) @definition.name)
(variable_declaration (variable_list name: (identifier) @definition.name))
(variable_declaration (assignment_statement (variable_list name: (identifier) @definition.name)))
(for_generic_clause (variable_list name: (identifier) @definition.name))
(for_numeric_clause name: (identifier) @definition.name)

; What uses one: names, and functions of tables where they are called.
(identifier) @reference.name
(field name: (identifier) @field.name)
(dot_index_expression field: (identifier) @field.name)
(function_call name: (dot_index_expression field: (identifier) @reference.called))
