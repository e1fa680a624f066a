; What TypeScript has beside `ecma.scm`.

(abstract_class_declaration name: (_) @name body: (_) @body) @item.type
(interface_declaration name: (_) @name body: (_) @body) @item.type
(type_alias_declaration name: (_) @name) @item.type
(enum_declaration name: (_) @name body: (_) @body) @item.type
(internal_module name: (_) @name body: (_) @body) @item.module
(module name: (_) @name body: (_)? @body) @item.module
(function_signature name: (_) @name) @item.function
(method_signature name: (_) @name) @item.function
(abstract_method_signature name: (_) @name) @item.function

(ambient_declaration (_) @inner) @around

(required_parameter pattern: (identifier) @definition.name)
(optional_parameter pattern: (identifier) @definition.name)
(type_parameter name: (type_identifier) @definition.name)

(type_identifier) @reference.name
