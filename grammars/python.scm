; Items, with what their heads do without.
(function_definition name: (identifier) @name body: (block) @body) @item.function
(class_definition name: (identifier) @name body: (block) @body) @item.type
(module (expression_statement (assignment left: (identifier) @name right: (_)? @body)) @item.constant)
(type_alias_statement left: (type) @name) @item.type

(decorated_definition definition: (_) @inner) @around
(block . (expression_statement (string) @doc))

; What belongs to the item that follows.
(comment) @lead

; What binds a name.
(parameters (identifier) @definition.name)
(lambda_parameters (identifier) @definition.name)
(default_parameter name: (identifier) @definition.name)
(typed_parameter (identifier) @definition.name)
(typed_default_parameter name: (identifier) @definition.name)
(list_splat_pattern (identifier) @definition.name)
(dictionary_splat_pattern (identifier) @definition.name)
(assignment left: (identifier) @definition.name)
(pattern_list (identifier) @definition.name)
(tuple_pattern (identifier) @definition.name)
(named_expression name: (identifier) @definition.name)
(for_statement left: (identifier) @definition.name)
(for_in_clause left: (identifier) @definition.name)
(as_pattern_target (identifier) @definition.name)
(aliased_import alias: (identifier) @definition.name)
(import_statement name: (dotted_name . (identifier) @definition.name))
(import_from_statement name: (dotted_name (identifier) @definition.name))
(case_pattern (dotted_name . (identifier) @definition.name .))

; What uses one: names, and methods where they are called.
(identifier) @reference.name
(attribute attribute: (identifier) @field.name)
(keyword_argument name: (identifier) @field.name)
(call function: (attribute attribute: (identifier) @reference.called))
