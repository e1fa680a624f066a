; Items, with what their heads do without.
(function_declaration name: (_) @name body: (_)? @body) @item.function
(method_declaration name: (_) @name body: (_)? @body) @item.function
(type_spec name: (_) @name type: (_) @body) @item.type
(type_alias name: (_) @name) @item.type
(source_file (const_declaration (const_spec . name: (identifier) @name) @item.constant))
(source_file (var_declaration (var_spec . name: (identifier) @name) @item.constant))
(source_file (var_declaration (var_spec_list (var_spec . name: (identifier) @name) @item.constant)))

(type_declaration . [(type_spec) (type_alias)] @inner .) @around
(const_declaration . (const_spec) @inner .) @around
(var_declaration . (var_spec) @inner .) @around

; What belongs to the item that follows.
(comment) @lead

; What binds a name.
(parameter_declaration name: (identifier) @definition.name)
(variadic_parameter_declaration name: (identifier) @definition.name)
(type_parameter_declaration name: (identifier) @definition.name)
(short_var_declaration left: (expression_list (identifier) @definition.name))
(range_clause left: (expression_list (identifier) @definition.name))
(receive_statement left: (expression_list (identifier) @definition.name))
(type_switch_statement alias: (expression_list (identifier) @definition.name))
(var_spec name: (identifier) @definition.name)
(const_spec name: (identifier) @definition.name)
(import_spec name: (package_identifier) @definition.name)

; What uses one: names, types, and functions of packages and methods where they are called.
(identifier) @reference.name
(type_identifier) @reference.name
(call_expression function: (selector_expression field: (field_identifier) @reference.name))
