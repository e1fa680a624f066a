; Items, with what their heads do without.
(method_declaration name: (_) @name body: (_)? @body) @item.function
(constructor_declaration name: (_) @name body: (_) @body) @item.function
(compact_constructor_declaration name: (_) @name body: (_) @body) @item.function
(class_declaration name: (_) @name body: (_) @body) @item.type
(interface_declaration name: (_) @name body: (_) @body) @item.type
(enum_declaration name: (_) @name body: (_) @body) @item.type
(record_declaration name: (_) @name body: (_) @body) @item.type
(annotation_type_declaration name: (_) @name body: (_) @body) @item.type
(field_declaration . (modifiers)? . type: (_) . declarator: (variable_declarator name: (_) @name value: (_)? @body) .) @item.constant

; What belongs to the item that follows; annotations are part of it.
[(line_comment) (block_comment)] @lead

; What binds a name.
(formal_parameter name: (identifier) @definition.name)
(spread_parameter (variable_declarator name: (identifier) @definition.name))
(variable_declarator name: (identifier) @definition.name)
(lambda_expression parameters: (identifier) @definition.name)
(inferred_parameters (identifier) @definition.name)
(enhanced_for_statement name: (identifier) @definition.name)
(catch_formal_parameter name: (identifier) @definition.name)
(resource name: (identifier) @definition.name)
(instanceof_expression name: (identifier) @definition.name)
(type_pattern (identifier) @definition.name)
(type_parameter (type_identifier) @definition.name)
(enum_constant name: (identifier) @definition.name)

; What uses one: names, types, and methods where they are called.
(identifier) @reference.name
(type_identifier) @reference.name
(field_access field: (identifier) @field.name)
