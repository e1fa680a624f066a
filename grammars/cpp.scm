; What C++ has beside `c.scm`.

(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name)) body: (_) @body) @item.function
(field_declaration declarator: (function_declarator declarator: (_) @name)) @item.function
(class_specifier name: (_) @name body: (_) @body) @item.type
(alias_declaration name: (_) @name) @item.type
(concept_definition name: (_) @name) @item.type
(namespace_definition name: (_) @name body: (_) @body) @item.module

(template_declaration [(function_definition) (declaration) (class_specifier) (struct_specifier) (union_specifier) (alias_declaration) (concept_definition) (template_declaration)] @inner) @around

(reference_declarator (identifier) @definition.name)
(structured_binding_declarator (identifier) @definition.name)
(for_range_loop declarator: (identifier) @definition.name)
(lambda_capture_initializer left: (identifier) @definition.name)
(type_parameter_declaration (type_identifier) @definition.name)
(optional_parameter_declaration declarator: (identifier) @definition.name)

(namespace_identifier) @reference.name
(call_expression function: (field_expression field: (field_identifier) @reference.name))
